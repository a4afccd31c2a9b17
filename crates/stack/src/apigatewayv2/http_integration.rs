//! What stands behind a route of an HTTP API.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use cfn::apigatewayv2::integration;
use cfn::{Builder, Expr, IntoValue, MapOf, Value};

use super::api_gateway;
use super::http_api::HttpApi;
use super::http_route::HttpMethod;
use super::parameter_mapping::ParameterMapping;
use super::vpc_link::VpcLink;
use super::websocket_integration::TIMEOUT;
use crate::element::CfnResource;
use crate::events::EventBus;
use crate::iam::{PolicyStatement, Role};
use crate::lambda::{Invocable, Permission};
use crate::site::Site;
use crate::sqs::Queue;
use crate::stack::{Arn, ArnFormat, Stack};
use crate::tree::{Construct, Scope as _};

/// How a request and its answer look to a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadFormatVersion {
    /// As of REST APIs.
    V1,
    V2,
}

impl PayloadFormatVersion {
    const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V2 => "2.0",
        }
    }
}

/// What a request does with a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueAction {
    SendMessage,
    ReceiveMessage,
    DeleteMessage,
    PurgeQueue,
}

impl QueueAction {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SendMessage => "SendMessage",
            Self::ReceiveMessage => "ReceiveMessage",
            Self::DeleteMessage => "DeleteMessage",
            Self::PurgeQueue => "PurgeQueue",
        }
    }
}

#[derive(Clone)]
enum Kind {
    Lambda(Rc<dyn Invocable>),
    Url(Expr),
    Private { uri: Expr, link: VpcLink },
    Service(Service),
}

#[derive(Clone)]
enum Service {
    Queue(Queue, QueueAction),
    EventBus(EventBus),
    /// By ARN.
    StartExecution(Expr),
    StartSyncExecution(Expr),
    /// By name.
    StopExecution(Expr),
}

/// A function, another server, or a service of AWS. It is made with the first route that uses it, and others can use it
/// then.
#[derive(Clone)]
pub struct HttpIntegration {
    id: String,
    kind: Kind,
    method: Option<HttpMethod>,
    payload_format: Option<PayloadFormatVersion>,
    parameter_mapping: Option<ParameterMapping>,
    timeout: Option<Duration>,
    secure_server_name: Option<String>,
    permission_of_route: bool,
    bound: Rc<RefCell<Option<(Construct, Expr)>>>,
}

impl HttpIntegration {
    fn new(id: impl Into<String>, kind: Kind) -> Self {
        Self {
            id: id.into(),
            kind,
            method: None,
            payload_format: None,
            parameter_mapping: None,
            timeout: None,
            secure_server_name: None,
            permission_of_route: true,
            bound: Rc::default(),
        }
    }

    /// A function gets each request.
    pub fn lambda(id: impl Into<String>, handler: &(impl Invocable + Clone + 'static)) -> Self {
        Self::new(id, Kind::Lambda(Rc::new(handler.clone())))
    }

    /// Another server: `https://example.com/{proxy}`.
    pub fn url(id: impl Into<String>, url: impl IntoValue<String>) -> Self {
        Self::new(id, Kind::Url(url.into_value().into_expr()))
    }

    /// A listener of a load balancer, or a service of Cloud Map, by ARN, in the VPC that the link leads to.
    pub fn private(id: impl Into<String>, arn: impl IntoValue<String>, link: &VpcLink) -> Self {
        let kind = Kind::Private {
            uri: arn.into_value().into_expr(),
            link: link.clone(),
        };
        Self::new(id, kind)
    }

    /// A queue. The body holds `MessageBody`, or `ReceiptHandle`, if no parameter mapping says otherwise.
    pub fn sqs(id: impl Into<String>, queue: &Queue, action: QueueAction) -> Self {
        Self::new(id, Kind::Service(Service::Queue(queue.clone(), action)))
    }

    /// A bus of events. The body holds `Detail`, `DetailType` and `Source`, if no parameter mapping says otherwise.
    pub fn event_bridge(id: impl Into<String>, bus: &EventBus) -> Self {
        Self::new(id, Kind::Service(Service::EventBus(bus.clone())))
    }

    /// Starts a state machine, by ARN, and answers at once.
    pub fn start_execution(id: impl Into<String>, state_machine_arn: impl IntoValue<String>) -> Self {
        let arn = state_machine_arn.into_value().into_expr();
        Self::new(id, Kind::Service(Service::StartExecution(arn)))
    }

    /// Starts an express state machine, by ARN, and answers with what it yields.
    pub fn start_sync_execution(id: impl Into<String>, state_machine_arn: impl IntoValue<String>) -> Self {
        let arn = state_machine_arn.into_value().into_expr();
        Self::new(id, Kind::Service(Service::StartSyncExecution(arn)))
    }

    /// Stops an execution of a state machine, by the latter's name. The mapping says where the request holds
    /// `ExecutionArn`.
    pub fn stop_execution(
        id: impl Into<String>,
        state_machine_name: impl IntoValue<String>,
        mapping: ParameterMapping,
    ) -> Self {
        let name = state_machine_name.into_value().into_expr();
        Self::new(id, Kind::Service(Service::StopExecution(name))).parameter_mapping(mapping)
    }

    /// With which another server is called; with that of the request if nothing is said.
    #[must_use]
    pub fn method(mut self, method: HttpMethod) -> Self {
        self.method = Some(method);
        self
    }

    /// Of a function: the second if nothing is said.
    #[must_use]
    pub fn payload_format_version(mut self, version: PayloadFormatVersion) -> Self {
        self.payload_format = Some(version);
        self
    }

    #[must_use]
    pub fn parameter_mapping(mut self, mapping: ParameterMapping) -> Self {
        self.parameter_mapping = Some(mapping);
        self
    }

    /// 50 milliseconds to 29 seconds; half a minute if nothing is said.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The name that the certificate of a private server is for.
    #[must_use]
    pub fn secure_server_name(mut self, name: impl Into<String>) -> Self {
        self.secure_server_name = Some(name.into());
        self
    }

    /// One permission for all routes of the API, where each route has its own if this is not said: a function's policy
    /// has room for some hundred.
    #[must_use]
    pub fn permission_for_api(mut self) -> Self {
        self.permission_of_route = false;
        self
    }

    /// Its id, for a route of this API.
    pub(super) fn bind(&self, api: &HttpApi, route: &Construct, path: Option<&str>) -> Expr {
        let integration = self.make_once(api, route);
        if let Kind::Lambda(handler) = &self.kind {
            self.permit(handler.as_ref(), api, route, path);
        }
        integration
    }

    fn make_once(&self, api: &HttpApi, route: &Construct) -> Expr {
        let mut bound = self.bound.borrow_mut();
        if let Some((other, integration)) = &*bound {
            if !other.is(api.construct()) {
                route.report("an integration belongs to one API; make another for this one");
            }
            return integration.clone();
        }
        let integration = self.make(api, route);
        *bound = Some((api.construct().clone(), integration.clone()));
        integration
    }

    fn permit(&self, handler: &dyn Invocable, api: &HttpApi, route: &Construct, path: Option<&str>) {
        let permission = |name: String| {
            let arn = api.execute_arn(name.into());
            Permission::new(api_gateway()).source_arn(arn.cast::<String>())
        };
        if self.permission_of_route {
            let permission = permission(format!("*/*{}", path.unwrap_or_default()));
            handler.add_permission_in(route, &format!("{}-Permission", self.id), &permission);
            return;
        }
        let id = format!(
            "ApiPermission.ApiScoped.{}.{}",
            handler.construct().unique_id(),
            api.construct().unique_id()
        );
        let mut known = api.inner.permissions.borrow_mut();
        if !known.contains(&id) {
            handler.add_permission_in(route, &id, &permission("*/*/*".to_owned()));
            known.push(id);
        }
    }

    fn make(&self, api: &HttpApi, route: &Construct) -> Expr {
        type Integration = cfn::apigatewayv2::Integration<cfn::Set, cfn::Set>;
        let properties = cfn::apigatewayv2::Integration::new().api_id(api.api_id());
        let mut mapping = self.parameter_mapping.clone();
        let mut payload_format = self.payload_format.unwrap_or(PayloadFormatVersion::V1);
        let method = self.method.unwrap_or(HttpMethod::Any).as_str();
        let properties: Integration = match &self.kind {
            Kind::Lambda(handler) => {
                payload_format = self.payload_format.unwrap_or(PayloadFormatVersion::V2);
                properties
                    .integration_type("AWS_PROXY")
                    .integration_uri(handler.invocable_arn())
            }
            Kind::Url(url) => properties
                .integration_type("HTTP_PROXY")
                .integration_uri(url.clone().cast::<String>())
                .integration_method(method),
            Kind::Private { uri, link } => properties
                .integration_type("HTTP_PROXY")
                .integration_uri(uri.clone().cast::<String>())
                .integration_method(method)
                .connection_type("VPC_LINK")
                .connection_id(link.vpc_link_id()),
            Kind::Service(service) => {
                let role = service.role(route);
                mapping = Some(service.mapping(mapping));
                properties
                    .integration_type("AWS_PROXY")
                    .integration_subtype(service.subtype())
                    .credentials_arn(role.role_arn())
                    .connection_type("INTERNET")
            }
        };
        let construct = Site::new(route, self.id.as_str()).make("apigatewayv2.HttpIntegration");
        if self
            .timeout
            .is_some_and(|timeout| !TIMEOUT.contains(&timeout.as_millis()))
        {
            construct.report("an integration takes between 50 milliseconds and 29 seconds");
        }
        let milliseconds = |timeout: Duration| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        let tls = |name: &str| integration::TlsConfig::new().server_name_to_verify(name);
        let properties = properties
            .payload_format_version(payload_format.as_str())
            .when_some(self.timeout.map(milliseconds), Integration::timeout_in_millis)
            .when_some(self.secure_server_name.as_deref().map(tls), Integration::tls_config)
            .when_some(
                mapping.map(|mapping| mapping.render().cast()),
                |properties, mapping: Value<MapOf<String>>| properties.request_parameters(mapping),
            );
        CfnResource::new(&construct, "Resource", properties)
            .reference()
            .into_expr()
    }
}

impl Service {
    fn subtype(&self) -> String {
        match self {
            Self::Queue(_, action) => format!("SQS-{}", action.as_str()),
            Self::EventBus(_) => "EventBridge-PutEvents".to_owned(),
            Self::StartExecution(_) => "StepFunctions-StartExecution".to_owned(),
            Self::StartSyncExecution(_) => "StepFunctions-StartSyncExecution".to_owned(),
            Self::StopExecution(_) => "StepFunctions-StopExecution".to_owned(),
        }
    }

    /// As which API Gateway calls the service.
    fn role(&self, route: &Construct) -> Role {
        let role = Role::new(route, "InvokeRole", api_gateway()).build();
        let (sid, action, resource) = match self {
            Self::Queue(queue, action) => (
                "AllowSqsExecution",
                format!("sqs:{}", action.as_str()),
                queue.queue_arn().into_expr(),
            ),
            Self::EventBus(bus) => (
                "AllowEventBridgePutEvents",
                "events:PutEvents".to_owned(),
                bus.event_bus_arn().into_expr(),
            ),
            Self::StartExecution(arn) => (STATES, "states:StartExecution".to_owned(), arn.clone()),
            Self::StartSyncExecution(arn) => (STATES, "states:StartSyncExecution".to_owned(), arn.clone()),
            Self::StopExecution(name) => {
                let name = Expr::concat([name.clone(), ":*".into()]);
                let executions = Arn::new("states", "execution").format(ArnFormat::Colon).name(name);
                let arn = Stack::of(route).format_arn(executions);
                (STATES, "states:StopExecution".to_owned(), arn)
            }
        };
        role.add_to_policy(PolicyStatement::allow([action]).sid(sid).on(resource.cast::<String>()));
        role
    }

    fn mapping(&self, said: Option<ParameterMapping>) -> ParameterMapping {
        match (self, said) {
            (Self::EventBus(bus), Some(said)) if !said.has("EventBusName") => {
                said.custom("EventBusName", bus.event_bus_name())
            }
            (_, Some(said)) => said,
            (Self::Queue(queue, action), None) => {
                let mapping = ParameterMapping::new().custom("QueueUrl", queue.queue_url());
                match action {
                    QueueAction::SendMessage => mapping.custom("MessageBody", "$request.body.MessageBody"),
                    QueueAction::DeleteMessage => mapping.custom("ReceiptHandle", "$request.body.ReceiptHandle"),
                    QueueAction::ReceiveMessage | QueueAction::PurgeQueue => mapping,
                }
            }
            (Self::EventBus(bus), None) => ParameterMapping::new()
                .custom("Detail", "$request.body.Detail")
                .custom("DetailType", "$request.body.DetailType")
                .custom("Source", "$request.body.Source")
                .custom("EventBusName", bus.event_bus_name()),
            (Self::StartExecution(arn) | Self::StartSyncExecution(arn), None) => {
                ParameterMapping::new().custom("StateMachineArn", arn.clone().cast::<String>())
            }
            (Self::StopExecution(_), None) => ParameterMapping::new(),
        }
    }
}

const STATES: &str = "AllowStepFunctionsExecution";
