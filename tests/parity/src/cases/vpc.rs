//! Networks: the defaults, groups of subnets with endpoints, flow logs and rules, and zones that are named.

use stack::ec2::{
    FlowLogTraffic, GatewayService, InterfaceService, Peer, Port, SecurityGroup, SubnetConfiguration, SubnetSelection,
    SubnetType, Vpc,
};
use stack::{App, Stack};

pub fn build(app: &App) {
    Vpc::new(&Stack::new(app, "VpcDefaults").build(), "Vpc").build();
    tiers(&Stack::new(app, "VpcTiers").build());
    let pinned = Stack::new(app, "VpcPinned").env("123456789012", "us-east-1").build();
    Vpc::new(&pinned, "Vpc")
        .availability_zones(["us-east-1a", "us-east-1b", "us-east-1c"])
        .nat_gateways(0)
        .subnet_configuration([
            SubnetConfiguration::new("public", SubnetType::Public),
            SubnetConfiguration::new("isolated", SubnetType::PrivateIsolated),
        ])
        .build();
}

fn tiers(stack: &Stack) {
    let vpc = Vpc::new(stack, "Network")
        .cidr("10.20.0.0/16")
        .max_azs(2)
        .nat_gateways(1)
        .enable_dns_hostnames(true)
        .enable_dns_support(true)
        .subnet_configuration([
            SubnetConfiguration::new("edge", SubnetType::Public)
                .cidr_mask(24)
                .map_public_ip_on_launch(false),
            SubnetConfiguration::new("app", SubnetType::PrivateWithEgress).cidr_mask(20),
            SubnetConfiguration::new("data", SubnetType::PrivateIsolated).cidr_mask(26),
        ])
        .build();
    vpc.add_gateway_endpoint("S3", GatewayService::S3).build();
    vpc.add_gateway_endpoint("Dynamo", GatewayService::DynamoDb)
        .subnets(SubnetSelection::group("app"))
        .build();
    vpc.add_interface_endpoint("Secrets", InterfaceService::secrets_manager())
        .subnets(SubnetSelection::group("data"))
        .build();
    vpc.add_flow_log("Flow").traffic(FlowLogTraffic::Rejected).build();
    let database = SecurityGroup::new(stack, "Db", &vpc)
        .allow_all_outbound(false)
        .description("database")
        .build();
    database.add_ingress_rule(&Peer::ipv4("10.20.0.0/16"), &Port::tcp(5432), Some("inside only"));
    database.add_egress_rule(&Peer::any_ipv4(), &Port::tcp_range(8000, 8100), None);
    let bastion = SecurityGroup::new(stack, "Bastion", &vpc).build();
    database.add_ingress_rule_from(&bastion, &Port::tcp(22), None);
    bastion
        .connections()
        .allow_to_described(&database, &Port::all_icmp(), Some("ping"));
}
