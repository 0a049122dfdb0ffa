"""What EC2 has: networks and what is in them, addresses, disks and their copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from crime_jobs.cloud import prices
from crime_jobs.cloud.kinds_base import Found, Kind, Phase, Place, items, moment, tag_map

Shape = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def _kind(
    name: str,
    listing: tuple[str, str],
    id_of: str,
    remove: Callable[[Any, str], object],
    shape: Shape,
    phase: Phase = Phase.NETWORK,
    **request: Any,
) -> Kind:
    """Declare a kind of EC2's: all its lists bring tags along, and an id is all that its removal needs.

    Parameters
    ----------
    name
        Of the kind.
    listing
        The operation that lists it, and the member of the answer.
    id_of
        The member that holds the id.
    remove
        Removes one, given the client and the id.
    shape
        What else to say of one, as arguments of `Found`; ``skip`` drops it.
    phase
        When it goes.
    **request
        Of the listing.
    """

    def find(at: Place) -> Iterator[Found]:
        for one in items(at.client, *listing, **request):
            said = dict(shape(one))
            if said.pop("skip", False):
                continue
            tags = tag_map(one.get("Tags") or one.get("TagSet"))
            yield Found(
                said.pop("name", None) or tags.get("Name") or one[id_of], one[id_of], tags=tags, **said
            )

    def gone(at: Place, it: Found) -> object:
        return remove(at.client, it.id)

    return Kind(name, "ec2", find, phase, gone)


def _nat(one: Mapping[str, Any]) -> Mapping[str, Any]:
    state = one["State"]
    return {
        "skip": state == "deleted",  # shown for an hour after
        "since": one.get("CreateTime"),
        "state": f"{one['NatGatewayId']} {state}",
        "cost": prices.monthly("nat", 1, prices.HOURS),
        "going": "is being deleted" if state == "deleting" else "",
    }


def _endpoint(one: Mapping[str, Any]) -> Mapping[str, Any]:
    zones = len(one.get("SubnetIds", []))
    cost = prices.monthly("vpc endpoint", zones, prices.HOURS) if zones else prices.free("gateway endpoint")
    return {
        "skip": one["State"].lower() == "deleted",
        "since": moment(one.get("CreationTimestamp")),
        "state": f"{one['ServiceName'].rpartition('.')[2]}, {one['State'].lower()}",
        "cost": cost,
        "going": "is being deleted" if one["State"].lower() == "deleting" else "",
    }


def _address(one: Mapping[str, Any]) -> Mapping[str, Any]:
    bound = one.get("AssociationId")
    return {
        "state": f"{one.get('PublicIp', '')}, {'in use' if bound else 'in use by nothing'}",
        "cost": prices.monthly("ipv4", 1, prices.HOURS),
    }


def _interface(one: Mapping[str, Any]) -> Mapping[str, Any]:
    managed = one.get("RequesterManaged", False)
    return {
        "state": f"{one['Status']}{', made by a service and removed with what it is of' if managed else ''}",
        "cost": prices.free("a public address of its costs"),
        "going": "goes with the service that made it" if managed and one["Status"] == "in-use" else "",
    }


def _volume(one: Mapping[str, Any]) -> Mapping[str, Any]:
    size, kind = one["Size"], one.get("VolumeType", "gp2")
    known = kind in prices.PRICES
    return {
        "since": one.get("CreateTime"),
        "state": f"{one['State']}, {size} GB {kind}",
        "cost": prices.monthly(kind, size, of="GB")
        if known
        else prices.Cost(None, f"unknown: no price of {kind} here"),
        "going": "is being deleted" if one["State"] == "deleting" else "",
        "key": one.get("KmsKeyId", ""),
    }


def _copy(one: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "since": one.get("StartTime"),
        "state": f"of {one.get('VolumeId', '')}, {one.get('State', '')}",
        "cost": prices.monthly("snapshot", one["VolumeSize"], of="GB at most"),
        "key": one.get("KmsKeyId", ""),
    }


def _group(one: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "skip": one["GroupName"] == "default",
        "name": one["GroupName"],
        "state": one.get("VpcId", ""),
        "cost": prices.free(),
    }


def _table(one: Mapping[str, Any]) -> Mapping[str, Any]:
    main = any(bound.get("Main") for bound in one.get("Associations", []))
    return {"skip": main, "state": one.get("VpcId", ""), "cost": prices.free()}


def _machine(one: Mapping[str, Any]) -> Mapping[str, Any]:
    # One of EMR's goes with its cluster: the tag is EMR's own.
    emr = "aws:elasticmapreduce:job-flow-id" in tag_map(one.get("Tags"))
    state = one["State"]["Name"]
    return {
        "skip": emr or state == "terminated",
        "since": one.get("LaunchTime"),
        "state": f"{one['InstanceType']} {state}",
        "cost": prices.by_use("hours it runs")
        if state == "running"
        else prices.free("stopped; its disks cost"),
        "going": "is ending" if state == "shutting-down" else "",
    }


def _instances(at: Place) -> Iterator[Found]:
    for reservation in items(at.client, "describe_instances", "Reservations"):
        for one in reservation["Instances"]:
            said = dict(_machine(one))
            if not said.pop("skip"):
                tags = tag_map(one.get("Tags"))
                yield Found(tags.get("Name") or one["InstanceId"], one["InstanceId"], tags=tags, **said)


def _drop_gateway(client: Any, gateway: str) -> None:
    found = client.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"]
    for one in found:
        for bound in one.get("Attachments", []):
            client.detach_internet_gateway(InternetGatewayId=gateway, VpcId=bound["VpcId"])
    client.delete_internet_gateway(InternetGatewayId=gateway)


def _drop_group(client: Any, group: str) -> None:
    """Remove a group, its own rules first: two groups that name each other can't go otherwise."""
    about = client.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    for rules, revoke in (
        ("IpPermissions", client.revoke_security_group_ingress),
        ("IpPermissionsEgress", client.revoke_security_group_egress),
    ):
        if about.get(rules):
            revoke(GroupId=group, IpPermissions=about[rules])
    client.delete_security_group(GroupId=group)


def _drop_table(client: Any, table: str) -> None:
    for one in client.describe_route_tables(RouteTableIds=[table])["RouteTables"]:
        for bound in one.get("Associations", []):
            client.disassociate_route_table(AssociationId=bound["RouteTableAssociationId"])
    client.delete_route_table(RouteTableId=table)


#: In the order in which they hang on each other.
KINDS = (
    Kind(
        "machine",
        "ec2",
        _instances,
        Phase.WORK,
        lambda at, it: at.client.terminate_instances(InstanceIds=[it.id]),
    ),
    _kind(
        "NAT gateway",
        ("describe_nat_gateways", "NatGateways"),
        "NatGatewayId",
        lambda client, gone: client.delete_nat_gateway(NatGatewayId=gone),
        _nat,
        Phase.SERVICES,
    ),
    _kind(
        "VPC endpoint",
        ("describe_vpc_endpoints", "VpcEndpoints"),
        "VpcEndpointId",
        lambda client, gone: client.delete_vpc_endpoints(VpcEndpointIds=[gone]),
        _endpoint,
        Phase.SERVICES,
    ),
    _kind(
        "volume",
        ("describe_volumes", "Volumes"),
        "VolumeId",
        lambda client, gone: client.delete_volume(VolumeId=gone),
        _volume,
        Phase.SERVICES,
    ),
    _kind(
        "snapshot",
        ("describe_snapshots", "Snapshots"),
        "SnapshotId",
        lambda client, gone: client.delete_snapshot(SnapshotId=gone),
        _copy,
        Phase.SERVICES,
        OwnerIds=["self"],
    ),
    _kind(
        "Elastic IP",
        ("describe_addresses", "Addresses"),
        "AllocationId",
        lambda client, gone: client.release_address(AllocationId=gone),
        _address,
    ),
    _kind(
        "network interface",
        ("describe_network_interfaces", "NetworkInterfaces"),
        "NetworkInterfaceId",
        lambda client, gone: client.delete_network_interface(NetworkInterfaceId=gone),
        _interface,
    ),
    _kind(
        "security group",
        ("describe_security_groups", "SecurityGroups"),
        "GroupId",
        _drop_group,
        _group,
    ),
    _kind(
        "subnet",
        ("describe_subnets", "Subnets"),
        "SubnetId",
        lambda client, gone: client.delete_subnet(SubnetId=gone),
        lambda one: {"state": f"{one['CidrBlock']} in {one['VpcId']}", "cost": prices.free()},
    ),
    _kind("route table", ("describe_route_tables", "RouteTables"), "RouteTableId", _drop_table, _table),
    _kind(
        "internet gateway",
        ("describe_internet_gateways", "InternetGateways"),
        "InternetGatewayId",
        _drop_gateway,
        lambda _: {"cost": prices.free()},
    ),
    _kind(
        "VPC",
        ("describe_vpcs", "Vpcs"),
        "VpcId",
        lambda client, gone: client.delete_vpc(VpcId=gone),
        lambda one: {"skip": one.get("IsDefault", False), "state": one["CidrBlock"], "cost": prices.free()},
    ),
)
