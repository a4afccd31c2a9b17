//! States as JSON, with the keys in the order in which aws-cdk-lib writes them: definitions are texts, and a text that
//! differs is a change.

use cfn::{Expr, Map};

use super::fallible::{Catch, Retry};
use super::graph::Graph;
use super::state::{Kind, State, StateData};

impl Graph {
    /// `StartAt` and `States`.
    pub(super) fn render(&self) -> Map {
        let mut states = Map::new();
        for node in &self.states {
            let state = self.start.at(*node);
            states.insert(state.name(), self.render_state(&state));
        }
        let mut map = Map::new();
        map.insert("StartAt", self.start.name());
        map.insert("States", states);
        map
    }

    fn render_state(&self, state: &State) -> Map {
        let branches = self.branches_of(state.node()).iter().map(Self::render).collect();
        let name = |node| state.at(node).name();
        let next = state.with(|data| data.next).map(name);
        let default = state.with(|data| data.default).map(name);
        let rules = state.with(|data| data.rules.iter().map(|rule| rule.next).collect::<Vec<_>>());
        let rules = rules.into_iter().map(name).collect();
        let handlers = state.with(|data| {
            Catch::in_order(&data.catches)
                .iter()
                .map(|(_, node)| *node)
                .collect::<Vec<_>>()
        });
        let names = Names {
            next,
            default,
            rules,
            handlers: handlers.into_iter().map(name).collect(),
        };
        state.with(|data| names.render(data, branches))
    }
}

/// What the states are called that follow one.
struct Names {
    next: Option<String>,
    default: Option<String>,
    rules: Vec<String>,
    handlers: Vec<String>,
}

impl Names {
    fn render(self, data: &StateData, branches: Vec<Map>) -> Map {
        let common = &data.common;
        let mut map = Map::new();
        let (next_or_end, retry_and_catch) = (self.next_or_end(), self.retry_and_catch(data));
        let comment = common.comment.clone().map(Expr::from);
        let result_path = &common.result_path;
        match &data.kind {
            Kind::Pass { result } => {
                map.insert("Type", "Pass");
                set(&mut map, "Comment", &comment);
                set(&mut map, "Result", result);
                set(&mut map, "ResultPath", result_path);
                input_and_output(&mut map, data);
                map.extend(next_or_end);
            }
            Kind::Wait(key, time) => {
                map.insert("Type", "Wait");
                set(&mut map, "Comment", &comment);
                map.insert(*key, time.clone());
                input_and_output(&mut map, data);
                map.extend(next_or_end);
            }
            Kind::Succeed => {
                map.insert("Type", "Succeed");
                set(&mut map, "Comment", &comment);
                input_and_output(&mut map, data);
            }
            Kind::Fail(said) => {
                map.insert("Type", "Fail");
                set(&mut map, "Comment", &comment);
                map.extend(said.clone());
            }
            Kind::Choice => {
                map.insert("Type", "Choice");
                set(&mut map, "Comment", &comment);
                input_and_output(&mut map, data);
                self.choices(&mut map, data);
            }
            Kind::Custom(written) => {
                map.extend(next_or_end);
                map.extend(written.clone());
                for (key, said) in retry_and_catch {
                    let more = written.get(&key).and_then(Expr::as_list).unwrap_or_default();
                    let said = said.as_list().unwrap_or_default();
                    map.insert(key, Expr::List([said, more].concat()));
                }
            }
            Kind::Parallel => {
                map.insert("Type", "Parallel");
                set(&mut map, "Comment", &comment);
                set(&mut map, "ResultPath", result_path);
                map.extend(next_or_end);
                input_and_output(&mut map, data);
                map.extend(retry_and_catch);
                map.insert("Branches", Expr::list(branches));
                set(&mut map, "ResultSelector", &common.result_selector);
            }
            Kind::Map { items, concurrency } => {
                map.insert("Type", "Map");
                set(&mut map, "Comment", &comment);
                set(&mut map, "ResultPath", result_path);
                map.extend(next_or_end);
                input_and_output(&mut map, data);
                set(&mut map, "ResultSelector", &common.result_selector);
                map.extend(retry_and_catch);
                map.extend(items.clone());
                let mut processor = Map::new();
                processor.insert("ProcessorConfig", Expr::map([("Mode", "INLINE")]));
                processor.extend(branches.into_iter().flatten());
                map.insert("ItemProcessor", processor);
                map.extend(concurrency.clone());
            }
            Kind::Task { times, call } => {
                map.extend(next_or_end);
                map.extend(retry_and_catch);
                map.insert("Type", "Task");
                set(&mut map, "Comment", &comment);
                map.extend(times.clone());
                set(&mut map, "InputPath", &common.input_path);
                set(&mut map, "OutputPath", &common.output_path);
                set(&mut map, "ResultPath", result_path);
                set(&mut map, "ResultSelector", &common.result_selector);
                map.extend(call.clone());
            }
        }
        map
    }

    fn next_or_end(&self) -> Map {
        let mut map = Map::new();
        match &self.next {
            Some(next) => map.insert("Next", next.clone()),
            None => map.insert("End", true),
        };
        map
    }

    fn retry_and_catch(&self, data: &StateData) -> Map {
        let mut map = Map::new();
        if !data.retries.is_empty() {
            let retries = Retry::in_order(&data.retries);
            map.insert("Retry", Expr::list(retries.into_iter().map(Retry::render)));
        }
        if !data.catches.is_empty() {
            let catches = Catch::in_order(&data.catches).into_iter().zip(&self.handlers);
            let catches = catches.map(|((catch, _), handler)| {
                let mut rendered = Map::new();
                rendered.insert("ErrorEquals", catch.errors());
                set(&mut rendered, "ResultPath", &catch.result_path);
                rendered.insert("Next", handler.clone());
                rendered
            });
            map.insert("Catch", Expr::list(catches));
        }
        map
    }

    fn choices(&self, map: &mut Map, data: &StateData) {
        let rules = data.rules.iter().zip(&self.rules).map(|(rule, next)| {
            let mut rendered = rule.condition.render();
            rendered.insert("Next", next.clone());
            set(&mut rendered, "Comment", &rule.comment.clone().map(Expr::from));
            rendered
        });
        if !data.rules.is_empty() {
            map.insert("Choices", Expr::list(rules));
        }
        set(map, "Default", &self.default.clone().map(Expr::from));
    }
}

fn set(map: &mut Map, key: &'static str, value: &Option<Expr>) {
    if let Some(value) = value {
        map.insert(key, value.clone());
    }
}

fn input_and_output(map: &mut Map, data: &StateData) {
    set(map, "InputPath", &data.common.input_path);
    set(map, "Parameters", &data.common.parameters);
    set(map, "OutputPath", &data.common.output_path);
}
