// Keys, the switch between whole photographs and faces, and forms that say what went wrong and keep what was typed.
// Without it the page works all the same: links and forms are plain ones.
const $ = id => document.getElementById(id);
document.documentElement.dataset.js = '';

/** What is remembered until the window is closed: whether faces are shown, whether single keys are on. */
const kept = {
  get: (name, otherwise) => { try { return sessionStorage.getItem(name) ?? otherwise; } catch { return otherwise; } },
  set: (name, value) => { try { sessionStorage.setItem(name, value); } catch { /* no storage: not remembered */ } },
};

const pair = $('pair');
function show(what) {
  pair.dataset.shows = what;
  for (const button of pair.querySelectorAll('[data-show]')) {
    button.setAttribute('aria-pressed', String(button.dataset.show === what));
  }
  kept.set('shows', what);
}
if (pair) {
  show(kept.get('shows', 'whole') === 'face' ? 'face' : 'whole');
  pair.addEventListener('click', event => {
    const button = event.target.closest('[data-show]');
    if (button) show(button.dataset.show);
  });
}
for (const image of document.querySelectorAll('figure img')) {
  const failed = () => {
    const words = document.createElement('p');
    words.className = 'gone';
    words.setAttribute('role', 'alert');
    words.textContent = 'The photograph did not arrive. Load this page again; if it does not come back, the server has ended.';
    (image.closest('.frame') ?? image).replaceWith(words);
  };
  image.addEventListener('error', failed);
  if (image.complete && !image.naturalWidth) failed();
}

function toggle(id) {
  const details = $(id);
  if (!details) return;
  details.open = !details.open;
  if (details.open) details.scrollIntoView({ block: 'nearest' });
  details.querySelector('summary').focus();
}
function openForm(id) {
  const details = $(id);
  if (!details) return;
  details.open = true;
  (details.querySelector('input[type=radio]:checked') ?? details.querySelector('input[type=radio]')).focus();
  details.scrollIntoView({ block: 'nearest' });
}
function closeForms() {
  for (const details of document.querySelectorAll('.decision[open]')) {
    details.open = false;
    details.querySelector('summary').focus();
  }
}

const help = $('help'), keysOn = $('keys-on');
if (keysOn) {
  keysOn.checked = kept.get('keys', 'on') === 'on';
  keysOn.addEventListener('change', () => kept.set('keys', keysOn.checked ? 'on' : 'off'));
  $('help-button').addEventListener('click', () => help.showModal());
}

const KEYS = {
  j: () => $('after')?.click(), ArrowRight: () => $('after')?.click(),
  k: () => $('before')?.click(), ArrowLeft: () => $('before')?.click(),
  z: () => pair && show(pair.dataset.shows === 'face' ? 'whole' : 'face'),
  a: () => openForm('accept'), r: () => openForm('reject'),
  s: () => toggle('numbers'), i: () => toggle('known'),
  '?': () => help?.showModal(),
};
addEventListener('keydown', event => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || help?.open) return;
  if (event.key === 'Escape') { closeForms(); return; }
  if (event.target.closest('input, textarea, select')) return;  // somebody writes or chooses
  if (event.repeat || (keysOn && !keysOn.checked) || !Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key]();
});

for (const form of document.querySelectorAll('.decision form')) {
  const words = form.querySelector('.wrong'), button = form.querySelector('button');
  const say = text => { words.textContent = text; words.hidden = false; };
  form.addEventListener('submit', async event => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    words.hidden = true;
    try {
      const answer = await fetch(form.action, {
        method: 'POST', body: new URLSearchParams(new FormData(form)), headers: { Accept: 'application/json' },
      });
      const said = await answer.json();
      if (answer.ok) { location.assign(said.next); return; }
      say(said.error);
      if (said.over) return;  // nothing is left to decide: the button stays off
    } catch {
      say('The server did not answer: it has ended, or can\'t be reached. It is not known whether the decision was '
        + 'recorded. Start `crime-jobs faces review` again: a lead that was decided on no longer waits there.');
    }
    button.disabled = false;
  });
}
