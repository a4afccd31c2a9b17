//! `llama-deploy deploy`: the app's stacks by change set, now or as a plan; with `--blue-green` also the release and its
//! rollout.

mod approval;
mod ending;
mod exports;
mod guard;
mod inputs;
mod plan;
mod plan_file;
mod progress;

use std::path::Path;
use std::sync::Arc;

use aws::BLUE_GREEN_METADATA;
use aws::assets::AssetManifest;
use aws::stacks::{Deployment, StackInput, Stop};
use orchestrator::driver::{DeployOptions, Rollouts};

use self::approval::Ask;
use self::ending::{Teller, interrupted};
use self::exports::Imported;
use self::guard::Guard;
use self::plan_file::Plan;
use self::progress::Progress;
use super::{Session, assemble_selected, interrupts};
use crate::arguments::{AppOptions, Changes, Deploy};
use crate::assembly::Stack;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::refusal;
use crate::rollout::{self, Release, Reporter, Stacks, WithTraffic};
use crate::settings::{Approval, Settings};

pub fn run(options: &Deploy, verbose: bool, settings: &Settings, console: &Console) -> Outcome<u8> {
    if let Some(file) = plan::named(&options.stacks)? {
        return execute_plan(options, file, verbose, settings, console);
    }
    let (environment, mut stacks) = assemble_selected(settings, &options.app, &options.stacks, console)?;
    if options.changes.exclusively {
        stacks = inputs::exclusively(stacks, &options.stacks);
    }
    let session = Session::open(settings, environment, console)?;
    if !environment.is_local() {
        inputs::check_environment(&stacks, session.aws.account(), session.aws.region())?;
    }
    let (mut inputs, manifests) = session.inputs(&stacks)?;
    inputs::apply(&options.changes, &stacks, &mut inputs)?;
    let stop = Stop::default();
    let approval = options.changes.require_approval.unwrap_or(environment.approval);
    let ask = Ask::new(
        approval,
        options.yes,
        Guard::new(&options.changes.allow_replace, &stacks),
        console.clone(),
        stop.clone(),
    );
    let deploying = Deploying {
        options,
        session: &session,
        stacks: &stacks,
        verbose,
        console,
        stop,
    };
    if options.blue_green {
        return deploying.blue_green(inputs, manifests, ask);
    }
    if options.no_execute {
        return deploying.make_plan(&inputs, &manifests, &ask);
    }
    deploying.deploy(&inputs, &manifests, &ask)
}

/// What `work` does with the environment's rollouts when they may have to deploy the app's stacks: an open rollout that
/// ended before its stacks stood is carried on.
pub fn with_app<T>(
    session: &Session<'_>,
    yes: bool,
    settings: &Settings,
    console: &Console,
    work: impl AsyncFnOnce(&Rollouts) -> Outcome<T>,
) -> Outcome<T> {
    let options = Deploy {
        stacks: Vec::new(),
        app: AppOptions {
            environment: Some(session.environment.name.clone()),
            context: Vec::new(),
        },
        changes: Changes::default(),
        no_execute: false,
        plan: None,
        blue_green: true,
        tag: None,
        hotfix: None,
        hold: false,
        no_traffic: false,
        yes,
    };
    let (environment, stacks) = assemble_selected(settings, &options.app, &options.stacks, console)?;
    if !environment.is_local() {
        inputs::check_environment(&stacks, session.aws.account(), session.aws.region())?;
    }
    let (mut inputs, manifests) = session.inputs(&stacks)?;
    inputs::apply(&options.changes, &stacks, &mut inputs)?;
    let stop = Stop::default();
    let guard = Guard::new(&options.changes.allow_replace, &stacks);
    let ask = Ask::new(environment.approval, yes, guard, console.clone(), stop.clone());
    let deploying = Deploying {
        options: &options,
        session,
        stacks: &stacks,
        verbose: false,
        console,
        stop,
    };
    deploying.release(inputs, manifests, ask, work)
}

fn execute_plan(options: &Deploy, file: &Path, verbose: bool, settings: &Settings, console: &Console) -> Outcome<u8> {
    let plan = Plan::read(file)?;
    if let Some(named) = options
        .app
        .environment
        .as_deref()
        .filter(|named| *named != plan.environment)
    {
        return Err(Failure::new(
            Code::PlanInvalid,
            format!("the plan is for environment {}, not {named}", plan.environment),
        ));
    }
    if options.no_execute || options.blue_green {
        return Err(Failure::new(
            Code::PlanInvalid,
            "a plan is executed as it is: leave --no-execute and --blue-green out",
        ));
    }
    let environment = settings.environment(&plan.environment)?;
    let session = Session::open(settings, environment, console)?;
    let stacks = plan::assembly_of(&session);
    plan::check(&plan, &session, &stacks)?;
    let stop = Stop::default();
    // Whoever made the plan could look at it: executing it is the approval. Data needs its name all the same.
    let guard = Guard::new(&options.changes.allow_replace, &stacks);
    let ask = Ask::new(Approval::Never, true, guard, console.clone(), stop.clone());
    let deploying = Deploying {
        options,
        session: &session,
        stacks: &stacks,
        verbose,
        console,
        stop,
    };
    deploying.execute(&plan, &ask)
}

/// One deploy with all that its ways have in common.
struct Deploying<'a> {
    options: &'a Deploy,
    session: &'a Session<'a>,
    stacks: &'a [Stack],
    verbose: bool,
    console: &'a Console,
    stop: Stop,
}

impl Deploying<'_> {
    fn deploy(&self, inputs: &[StackInput], manifests: &[AssetManifest], ask: &Ask) -> Outcome<u8> {
        let progress = self.progress(inputs.iter().map(|input| input.name.as_str()));
        let ends = self.session.runtime.block_on(async {
            self.listen(&progress)?;
            self.note(inputs.iter().map(|input| input.name.clone()).collect())
                .await?;
            self.publish(manifests, &progress).await?;
            let report = |event| progress.stack(event);
            self.session
                .aws
                .deploy_stacks(inputs, &self.deployment(ask, &report))
                .await
                .map_err(refusal::deploying)
        })?;
        self.console.clear();
        self.teller(ask, &progress).end(ends)
    }

    fn make_plan(&self, inputs: &[StackInput], manifests: &[AssetManifest], ask: &Ask) -> Outcome<u8> {
        let default = plan::default_file(&self.session.environment.name);
        let file = self.options.plan.as_deref().unwrap_or(&default);
        let progress = self.progress(inputs.iter().map(|input| input.name.as_str()));
        let guard = Guard::new(&self.options.changes.allow_replace, self.stacks);
        self.session.runtime.block_on(async {
            self.publish(manifests, &progress).await?;
            let report = |event| progress.stack(event);
            let deployment = self.deployment(ask, &report);
            plan::make(
                self.session,
                self.stacks,
                inputs,
                &deployment,
                &guard,
                file,
                self.console,
            )
            .await
        })
    }

    fn execute(&self, plan: &Plan, ask: &Ask) -> Outcome<u8> {
        let plans = plan::change_sets(plan);
        let progress = self.progress(plans.iter().map(|plan| plan.input.name.as_str()));
        let ends = self.session.runtime.block_on(async {
            self.listen(&progress)?;
            self.note(plan.stacks.iter().map(|stack| stack.name.clone()).collect())
                .await?;
            let report = |event| progress.stack(event);
            let executed = self
                .session
                .aws
                .execute_kept(&plans, &self.deployment(ask, &report))
                .await;
            executed.map_err(|error| ask.refusal(None).unwrap_or_else(|| refusal::deploying(error)))
        })?;
        self.console.clear();
        let ended = self.teller(ask, &progress).end(ends)?;
        for stack in plan.later.keys() {
            self.console.say(&format!(
                "{stack}: was not in the plan; plan again now that the others stand"
            ));
        }
        Ok(ended)
    }

    fn blue_green(&self, inputs: Vec<StackInput>, manifests: Vec<AssetManifest>, ask: Ask) -> Outcome<u8> {
        let options = DeployOptions {
            tag: self.options.tag.clone(),
            hotfix: self.options.hotfix.clone(),
            hold: self.options.hold,
        };
        let end = self.release(inputs, manifests, ask, async |rollouts| {
            rollout::abort_on_signals(&rollouts.interrupt, self.console)?;
            let end = rollouts.deploy_blue_green(options).await;
            rollout::tell_head(rollouts, self.console).await;
            end.map_err(rollout::failed)
        })?;
        rollout::ended(&end, &self.session.environment.name, self.console)
    }

    /// Has everything that a rollout of these stacks needs ready for `work`.
    fn release<T>(
        &self,
        inputs: Vec<StackInput>,
        manifests: Vec<AssetManifest>,
        ask: Ask,
        work: impl AsyncFnOnce(&Rollouts) -> Outcome<T>,
    ) -> Outcome<T> {
        let (options, session, console) = (self.options, self.session, self.console);
        if !has_slots(self.stacks)? {
            return Err(Failure::new(Code::NothingToRelease, "no stack of the app holds slots")
                .hint("add `BlueGreen` to the stack of the API, or deploy without --blue-green"));
        }
        let ask = Arc::new(ask);
        let release = Release {
            inputs,
            manifests,
            approval: ask.clone(),
            exports: Arc::new(Imported),
            concurrency: options.changes.concurrency,
        };
        let reporter = Reporter::new(console.clone());
        let traffic = Arc::new(WithTraffic::new(
            reporter,
            console.clone(),
            session,
            self.stacks,
            !options.no_traffic,
        ));
        let mut rollouts = rollout::rollouts(session, Some(release), traffic.clone(), console)?;
        if options.no_traffic {
            rollouts.config.gates.synthetic_requests_per_second = 0.0;
        }
        let done = session.runtime.block_on(async {
            let done = work(&rollouts).await;
            traffic.finish().await;
            done
        })?;
        match ask.refusal(None) {
            Some(refused) => Err(refused),
            None => Ok(done),
        }
    }

    fn listen(&self, progress: &Arc<Progress>) -> Outcome {
        let progress = progress.clone();
        interrupts::listen(&self.stop, move |ours| progress.in_progress(ours), self.console)
    }

    /// So that `status`, `migrate` and `rollback` find the stacks without the app.
    async fn note(&self, stacks: Vec<String>) -> Outcome {
        let ledger = rollout::ledger(self.session)?;
        Stacks(stacks).note(&ledger, &self.session.environment.name).await
    }

    async fn publish(&self, manifests: &[AssetManifest], progress: &Progress) -> Outcome {
        for manifest in manifests {
            if self.stop.is_asked() {
                return Err(interrupted("no stack was changed"));
            }
            self.session
                .aws
                .publish_assets(manifest, &|event| progress.asset(&event))
                .await
                .map_err(refusal::publishing)?;
        }
        Ok(())
    }

    fn progress<'n>(&self, stacks: impl Iterator<Item = &'n str>) -> Arc<Progress> {
        let folder = self.session.settings.environment_folder(&self.session.environment.name);
        Arc::new(Progress::new(self.console, &folder, stacks))
    }

    fn deployment<'d>(
        &self,
        ask: &'d Ask,
        report: &'d (dyn Fn(aws::stacks::StackProgress) + Send + Sync),
    ) -> Deployment<'d> {
        Deployment {
            approval: ask,
            exports: &Imported,
            report,
            stop: self.stop.clone(),
            concurrency: self.options.changes.concurrency,
            always: self.options.changes.force,
        }
    }

    fn teller<'t>(&'t self, ask: &'t Ask, progress: &'t Progress) -> Teller<'t> {
        Teller {
            console: self.console,
            stacks: self.stacks,
            ask,
            progress,
            verbose: self.verbose,
            outputs_file: self.options.changes.outputs_file.as_deref(),
        }
    }
}

fn has_slots(stacks: &[Stack]) -> Outcome<bool> {
    for stack in stacks {
        if stack
            .template()?
            .pointer(&format!("/Metadata/{BLUE_GREEN_METADATA}"))
            .is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}
