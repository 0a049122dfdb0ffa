// Loaded into kinesis-mock by NODE_OPTIONS. It listens on every interface and has no setting for that;
// here each of its servers listens on the loopback address alone.
"use strict";
const net = require("node:net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...args) {
  if (args[0] !== null && typeof args[0] === "object" && "port" in args[0]) {
    args[0] = { ...args[0], host: "127.0.0.1" };
  } else if (typeof args[0] === "number" || typeof args[0] === "string") {
    const rest = typeof args[1] === "string" ? args.slice(2) : args.slice(1);
    args = [args[0], "127.0.0.1", ...rest];
  }
  return listen.apply(this, args);
};
