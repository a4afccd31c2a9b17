//! Networks: VPCs with their subnets, security groups, and who may connect to whom.

mod connections;
mod endpoint;
mod flow_log;
mod instance_type;
mod network;
mod port;
mod security_group;
mod subnet;
mod vpc;

pub use connections::{Connectable, Connections};
pub use endpoint::{
    GatewayEndpoint, GatewayEndpointBuilder, GatewayService, InterfaceEndpoint, InterfaceEndpointBuilder,
    InterfaceService,
};
pub use flow_log::{FlowLog, FlowLogBuilder, FlowLogInterval, FlowLogTraffic};
pub use instance_type::{InstanceClass, InstanceSize, InstanceType};
pub use port::{Peer, Port};
pub use security_group::{SecurityGroup, SecurityGroupBuilder};
pub use subnet::{Subnet, SubnetSelection, SubnetType};
pub use vpc::{SubnetConfiguration, Vpc, VpcAttributes, VpcBuilder};
