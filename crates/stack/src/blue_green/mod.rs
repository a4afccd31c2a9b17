//! Slots: the aliases of each function and the stages of the API between which a rollout moves traffic.
//!
//! A function with slots has the aliases `blue` and `green`. A REST API reaches them through three stages. Whatever else
//! invokes the function (HTTP APIs, WebSocket APIs, queues, streams, schedules, topics) is given the alias `live`, and the
//! rollout splits its calls between two versions:
//!
//! ```
//! use stack::apigateway::{MethodOptions, RestApi};
//! use stack::apigatewayv2::{HttpApi, HttpIntegration, HttpMethod};
//! use stack::lambda::{Code, Function, Runtime, SqsEventSource};
//! use stack::scheduler::{Schedule, ScheduleExpression, Target};
//! use stack::{App, BlueGreen, Stack, sqs::Queue, units::hours};
//! # let app = App::new("unused");
//! # let stack = Stack::new(&app, "S").build();
//! # let orders = Function::new(&stack, "Orders", Runtime::nodejs_24(), Code::inline("x")).build();
//! # let rest = RestApi::new(&stack, "Rest").deploy(false).build();
//! # let jobs = Queue::new(&stack, "Jobs").build();
//! # let http = HttpApi::new(&stack, "Http").build();
//! let slots = BlueGreen::new(&stack, "Slots", &rest).function(&orders).build();
//! rest.root().add_method("GET", slots.integration(&orders), MethodOptions::new());
//!
//! let live = slots.live(&orders);
//! http.add_route(HttpMethod::Get, "/orders", HttpIntegration::lambda("Orders", &live));
//! live.add_event_source(SqsEventSource::new(&jobs));
//! Schedule::new(&stack, "Hourly", ScheduleExpression::rate(hours(1)), Target::function(&live)).build();
//! # app.synth().unwrap();
//! ```
//!
//! CloudFormation makes the first shape once; what a rollout moves afterwards (the aliases' versions, the stages'
//! deployments, the live stage's color) stands in the template as it was at the beginning and never changes, so an update
//! of the stack never undoes a rollout. The template's `Metadata` says where the slots are and what each live alias
//! serves; the orchestrator reads it there, and nothing else has to be configured. A function with slots that is invoked
//! past them is a mistake of synthesis ([`entry_points`]).
//!
//! What AWS asks of the two versions that share an alias cannot be seen here, because they come of two deploys: they need
//! the same role and the same dead-letter queue. Nor does AWS take provisioned concurrency at an alias with weights. What
//! follows for releases is in `docs/entry-points.md`.

mod entry_points;

use std::cell::OnceCell;
use std::rc::Rc;

use cfn::{Expr, Map};

use crate::apigateway::{Deployment, LambdaIntegration, RestApi, Stage, StageOptions};
use crate::iam::Principal;
use crate::lambda::{Alias, Function, Invocable, Permission, Version};
use crate::site::Site;
use crate::stack::Stack as CloudFormationStack;
use crate::tree::{Construct, Scope};

/// The key of the template's `Metadata` that says where the slots are.
pub const METADATA_KEY: &str = "LlamaDeploy::BlueGreen";
/// The stage variable that says which slot a stage reaches.
pub const COLOR_VARIABLE: &str = "color";
/// The slots; the live stage begins at the first.
pub const COLORS: [&str; 2] = ["blue", "green"];
/// The alias that calls the live version, and during a rollout the candidate for a share of the calls.
pub const LIVE_ALIAS: &str = "live";

/// The slots of a stack: the functions that are released together, and the REST API in front of them if there is one.
#[derive(Clone)]
pub struct BlueGreen<A = RestStages> {
    construct: Construct,
    functions: Rc<[Slotted]>,
    api: A,
}

/// The functions are reached through stages of a REST API, and through live aliases where they have some.
#[derive(Clone)]
pub struct RestStages {
    live: Stage,
}

/// There is no REST API: the functions are reached through live aliases.
#[derive(Clone)]
pub struct WithoutRestApi;

#[derive(Clone)]
struct Slotted {
    function: Function,
    first_version: Version,
    aliases: Vec<Alias>,
    /// Made when it is asked for.
    live: Rc<OnceCell<Alias>>,
}

impl<A> Scope for BlueGreen<A> {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct BlueGreenBuilder<A = RestApiInFront> {
    site: Site,
    functions: Vec<Function>,
    api: A,
}

/// The API of slots that are being built, and the settings of its stages.
pub struct RestApiInFront {
    api: RestApi,
    options: StageOptions,
}

impl<A> BlueGreenBuilder<A> {
    /// A function that is released by slots.
    pub fn function(mut self, function: &Function) -> Self {
        self.functions.push(function.clone());
        self
    }
}

impl BlueGreenBuilder {
    /// Name and settings of the live stage. The preview stages get the same settings.
    pub fn live_stage(mut self, options: StageOptions) -> Self {
        self.api.options = options;
        self
    }

    pub fn build(self) -> BlueGreen {
        let RestApiInFront { api, options } = self.api;
        let construct = begin(self.site);
        if api.latest_deployment().is_some() {
            construct
                .report("an API with slots has no deployment that follows its content: build it with `deploy(false)`");
        }
        if COLORS.contains(&options.stage_name()) {
            construct.report("the live stage cannot be called like a slot");
        }
        let functions: Rc<[Slotted]> = self
            .functions
            .iter()
            .map(|function| slot(function, Some(&api)))
            .collect();

        let deployment = Deployment::new(&api, "Deployment", &api)
            .description("The first deployment; releases make their own")
            .frozen()
            .build();
        let stage = |name: &str, color: &str| {
            let options = options.clone().named(name).variable(COLOR_VARIABLE, color);
            Stage::new(&api, format!("DeploymentStage.{name}"), &deployment)
                .options(options)
                .build()
        };
        let live = stage(options.stage_name(), COLORS[0]);
        api.set_deployment_stage(&live);
        let previews = COLORS.map(|color| (color, stage(color, color).resource().logical_id()));

        let entry = Expr::map([
            ("RestApi", api.resource().logical_id()),
            ("LiveStage", live.resource().logical_id()),
            ("PreviewStages", Expr::map(previews)),
        ]);
        tell(&construct, &functions, vec![entry]);
        BlueGreen {
            construct,
            functions,
            api: RestStages { live },
        }
    }
}

impl BlueGreenBuilder<WithoutRestApi> {
    pub fn build(self) -> BlueGreen<WithoutRestApi> {
        let construct = begin(self.site);
        if self.functions.is_empty() {
            construct.report("slots without a function release nothing: give it the functions of the stack");
        }
        let functions: Rc<[Slotted]> = self.functions.iter().map(|function| slot(function, None)).collect();
        tell(&construct, &functions, Vec::new());
        BlueGreen {
            construct,
            functions,
            api: WithoutRestApi,
        }
    }
}

fn begin(site: Site) -> Construct {
    let construct = site.make("BlueGreen");
    if CloudFormationStack::of(&construct).has_metadata(METADATA_KEY) {
        construct.report("a stack has its slots in one place: give all functions to one `BlueGreen`");
    }
    construct
}

/// The first version of a function, and the aliases that begin at it. None of their properties ever changes: whatever
/// differs between two templates, CloudFormation would set anew, and the rest of the resource with it.
fn slot(function: &Function, api: Option<&RestApi>) -> Slotted {
    let first_version = Version::new(function, "FirstVersion", function).build();
    let aliases = COLORS.map(|color| {
        let alias = Alias::new(function, format!("Slot-{color}"), color, &first_version).build();
        if let Some(api) = api {
            let permission = Permission::new(Principal::service("apigateway.amazonaws.com"))
                .source_arn(api.arn_for_execute_api("*", "/*", "*"));
            alias.add_permission("ApiPermission", &permission);
        }
        alias
    });
    Slotted {
        function: function.clone(),
        first_version,
        aliases: aliases.to_vec(),
        live: Rc::default(),
    }
}

/// Says in the template's metadata where the slots are.
fn tell(construct: &Construct, functions: &Rc<[Slotted]>, apis: Vec<Expr>) {
    let stack = CloudFormationStack::of(construct);
    let names = functions.iter().map(|slotted| slotted.function.resource().logical_id());
    let metadata: Map = [("Functions", Expr::list(names)), ("Apis", Expr::List(apis))]
        .into_iter()
        .collect();
    stack.add_metadata(METADATA_KEY, metadata.clone());

    // What a live alias serves is known when the app is complete; in the second round, because what others prepare, such
    // as the notifications of a bucket, invokes functions, too.
    let (construct, functions) = (construct.clone(), Rc::clone(functions));
    construct.clone().on_synth(move || {
        construct.clone().on_synth(move || {
            let live = entry_points::settle(&construct, &functions);
            if live.is_empty() {
                return;
            }
            let mut metadata = metadata;
            metadata.insert("LiveAliases", Expr::List(live));
            stack.add_metadata(METADATA_KEY, metadata);
        });
    });
}

impl BlueGreen {
    /// Slots behind a REST API, which is built with `deploy(false)`.
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, api: &RestApi) -> BlueGreenBuilder {
        BlueGreenBuilder {
            site: Site::new(scope, id),
            functions: Vec::new(),
            api: RestApiInFront {
                api: api.clone(),
                options: StageOptions::new(),
            },
        }
    }

    /// An integration that reaches the slot of the stage through which a request comes.
    pub fn integration(&self, function: &Function) -> LambdaIntegration {
        if self.slotted(function).is_none() {
            self.report_unknown(function);
        }
        LambdaIntegration::new(function).through_stage_variable(COLOR_VARIABLE)
    }

    /// The stage that users reach.
    pub fn live_stage(&self) -> &Stage {
        &self.api.live
    }
}

impl BlueGreen<WithoutRestApi> {
    /// Slots of functions that no REST API leads to: all that invokes them is given [`BlueGreen::live`].
    #[track_caller]
    pub fn without_rest_api(scope: &impl Scope, id: impl Into<String>) -> BlueGreenBuilder<WithoutRestApi> {
        BlueGreenBuilder {
            site: Site::new(scope, id),
            functions: Vec::new(),
            api: WithoutRestApi,
        }
    }
}

impl<A> BlueGreen<A> {
    /// The aliases of a function, in the order of [`COLORS`]; none if it has no slots.
    pub fn aliases(&self, function: &Function) -> &[Alias] {
        self.slotted(function).map_or(&[], |slotted| &slotted.aliases)
    }

    /// What to give to an HTTP API, a WebSocket API, a queue, a stream, a schedule or whatever else invokes the function:
    /// the alias `live`, which a rollout moves together with the live stage. It is made when it is first asked for, and
    /// begins at the function's first version.
    ///
    /// Permissions, event source mappings and what was said of asynchronous events hang on the alias. An alias that is
    /// added to a function which was released before follows with the next release: ask for it in one deploy, and wire
    /// it in a later one.
    pub fn live(&self, function: &Function) -> Alias {
        let make = |version: &Version| {
            let alias = Alias::new(function, format!("Slot-{LIVE_ALIAS}"), LIVE_ALIAS, version).build();
            alias.repeat_asynchronous_settings();
            alias
        };
        match self.slotted(function) {
            Some(slotted) => slotted.live.get_or_init(|| make(&slotted.first_version)).clone(),
            None => {
                self.report_unknown(function);
                make(&function.current_version())
            }
        }
    }

    fn slotted(&self, function: &Function) -> Option<&Slotted> {
        let mut functions = self.functions.iter();
        functions.find(|slotted| slotted.function.construct().is(function.construct()))
    }

    fn report_unknown(&self, function: &Function) {
        let path = function.construct().path();
        self.construct
            .report(format!("`{path}` has no slots: give it to the `BlueGreen`"));
    }
}
