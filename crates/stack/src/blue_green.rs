//! Slots: two aliases of each function and three stages of the API, between which a rollout moves traffic.
//!
//! CloudFormation makes the first shape once; what a rollout moves afterwards (the aliases' versions, the stages'
//! deployments, the live stage's color) stands in the template as it was at the beginning and never changes, so an update
//! of the stack never undoes a rollout. The template's `Metadata` says where the slots are; the orchestrator reads it
//! there, and nothing else has to be configured.

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

/// The slots of a stack: one API, and the functions behind it that are released together.
#[derive(Clone)]
pub struct BlueGreen {
    construct: Construct,
    functions: Vec<Slotted>,
    live_stage: Stage,
}

#[derive(Clone)]
struct Slotted {
    function: Function,
    aliases: Vec<Alias>,
}

impl Scope for BlueGreen {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct BlueGreenBuilder {
    site: Site,
    api: RestApi,
    options: StageOptions,
    functions: Vec<Function>,
}

impl BlueGreenBuilder {
    /// A function that is released by slots.
    pub fn function(mut self, function: &Function) -> Self {
        self.functions.push(function.clone());
        self
    }

    /// Name and settings of the live stage. The preview stages get the same settings.
    pub fn live_stage(mut self, options: StageOptions) -> Self {
        self.options = options;
        self
    }

    pub fn build(self) -> BlueGreen {
        let construct = self.site.make("BlueGreen");
        let stack = CloudFormationStack::of(&construct);
        if self.api.latest_deployment().is_some() {
            construct
                .report("an API with slots has no deployment that follows its content: build it with `deploy(false)`");
        }
        if stack.has_metadata(METADATA_KEY) {
            construct.report("a stack has its slots in one place: give all functions to one `BlueGreen`");
        }
        if COLORS.contains(&self.options.stage_name()) {
            construct.report("the live stage cannot be called like a slot");
        }
        let functions: Vec<Slotted> = self
            .functions
            .iter()
            .map(|function| slot(function, &self.api))
            .collect();

        let deployment = Deployment::new(&self.api, "Deployment", &self.api)
            .description("The first deployment; releases make their own")
            .frozen()
            .build();
        let stage = |name: &str, color: &str, options: &StageOptions| {
            let options = options.clone().named(name).variable(COLOR_VARIABLE, color);
            Stage::new(&self.api, format!("DeploymentStage.{name}"), &deployment)
                .options(options)
                .build()
        };
        let live_stage = stage(self.options.stage_name(), COLORS[0], &self.options);
        self.api.set_deployment_stage(&live_stage);
        let previews = COLORS.map(|color| (color, stage(color, color, &self.options).resource().logical_id()));

        let entry = Expr::map([
            ("RestApi", self.api.resource().logical_id()),
            ("LiveStage", live_stage.resource().logical_id()),
            ("PreviewStages", Expr::map(previews)),
        ]);
        let names = functions.iter().map(|slotted| slotted.function.resource().logical_id());
        let metadata: Map = [("Functions", Expr::list(names)), ("Apis", Expr::List(vec![entry]))]
            .into_iter()
            .collect();
        stack.add_metadata(METADATA_KEY, metadata);
        BlueGreen {
            construct,
            functions,
            live_stage,
        }
    }
}

/// The first version of a function, and the aliases that begin at it. None of their properties ever changes: whatever
/// differs between two templates, CloudFormation would set anew, and the rest of the resource with it.
fn slot(function: &Function, api: &RestApi) -> Slotted {
    let version = Version::new(function, "FirstVersion", function).build();
    let aliases = COLORS.map(|color| {
        let alias = Alias::new(function, format!("Slot-{color}"), color, &version).build();
        let permission = Permission::new(Principal::service("apigateway.amazonaws.com"))
            .source_arn(api.arn_for_execute_api("*", "/*", "*"));
        alias.add_permission("ApiPermission", &permission);
        alias
    });
    Slotted {
        function: function.clone(),
        aliases: aliases.to_vec(),
    }
}

impl BlueGreen {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, api: &RestApi) -> BlueGreenBuilder {
        BlueGreenBuilder {
            site: Site::new(scope, id),
            api: api.clone(),
            options: StageOptions::new(),
            functions: Vec::new(),
        }
    }

    /// An integration that reaches the slot of the stage through which a request comes.
    pub fn integration(&self, function: &Function) -> LambdaIntegration {
        if self.aliases(function).is_empty() {
            self.construct.report(format!(
                "`{}` has no slots: give it to the `BlueGreen`",
                function.construct().path()
            ));
        }
        LambdaIntegration::new(function).through_stage_variable(COLOR_VARIABLE)
    }

    /// The aliases of a function, in the order of [`COLORS`]; none if it has no slots.
    pub fn aliases(&self, function: &Function) -> &[Alias] {
        let slotted = self
            .functions
            .iter()
            .find(|slotted| slotted.function.construct().is(function.construct()));
        slotted.map_or(&[], |slotted| &slotted.aliases)
    }

    /// The stage that users reach.
    pub fn live_stage(&self) -> &Stage {
        &self.live_stage
    }
}
