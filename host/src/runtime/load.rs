//! From the bytes of a file to a plugin, from the cheapest check to the dearest.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::Component;
use wasmtime::{Engine, InstancePre, Module};
use wasmtime_wasi::p2::bindings::CommandPre;

use super::bindings::PluginPre;
use super::cache::Compiled;
use super::guest::Guest;
use super::lines::one_line;
use super::responding::RespondingPluginPre;
use super::warm::{Idle, Warm};
use super::{CallLimits, Compiler, EngineLimits, Generation, Manifest, Plugin, Powers, Runtime, compile, manifest};

/// How long nobody must have come for a compiler to take every core.
const QUIET: Duration = Duration::from_secs(1);

/// The contract that this gateway speaks, as it stands in a plugin's export.
const HANDLER: &str = "hookgate:plugin/handler@0.1.0";
const HANDLER_ANY: &str = "hookgate:plugin/handler@";

/// What a plugin exports that answers senders.
const RESPONDER: &str = "hookgate:plugin/responder@0.1.";

/// What a program with a `main` exports.
const COMMAND: &str = "wasi:cli/run@0.2.";

/// What starts the names of all that can be imported.
const OFFERED: [&str; 15] = [
    "hookgate:plugin/log@0.1.",
    "hookgate:plugin/settings@0.1.",
    "hookgate:plugin/clock@0.1.",
    "hookgate:plugin/random@0.1.",
    "hookgate:plugin/errors@0.1.",
    "hookgate:plugin/state@0.1.",
    "hookgate:plugin/http@0.1.",
    "hookgate:plugin/events@0.1.",
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:http/",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
];

/// The longest sentence about a file, in bytes.
const TEXT_BYTES: usize = 1024;

/// Why a file is no plugin, in a sentence for its author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refused {
    /// The sentence.
    pub why: String,
    /// Whether the same file may be taken at another time: the machine was too busy, say.
    pub passing: bool,
}

impl Refused {
    /// A file that is no plugin, whenever it is looked at.
    pub(super) fn new(why: impl Into<String>) -> Refused {
        Refused { why: told(&why.into()), passing: false }
    }

    /// A file that could not be loaded this time.
    pub(super) fn passing(why: impl Into<String>) -> Refused {
        Refused { why: told(&why.into()), passing: true }
    }
}

/// A plugin's code and what it says of itself, before anything is granted.
pub struct Loaded {
    /// What it says of itself.
    pub manifest: Manifest,
    generation: Generation,
    code: Code,
    idle: Arc<Idle>,
}

/// Code that can be instantiated, by how it is called.
#[derive(Clone)]
pub(super) enum Code {
    /// It exports the contract's functions.
    Handler(PluginPre<Guest>),
    /// It exports those that answer senders too.
    Responder(PluginPre<Guest>, RespondingPluginPre<Guest>),
    /// It is a program with a `main`.
    Command(Command),
}

/// A program with a `main`.
#[derive(Clone)]
pub(super) enum Command {
    /// Over WASI preview 1.
    Preview1(InstancePre<Guest>),
    /// Over WASI 0.2.
    Preview2(CommandPre<Guest>),
}

impl Code {
    /// What of these it has a use for: the calls of a command leave nothing behind but their outcome.
    fn can_use(&self, powers: Powers) -> Powers {
        match self {
            Code::Command(_) => Powers { state: None, may_emit: Vec::new(), ..powers },
            Code::Handler(_) | Code::Responder(..) => powers,
        }
    }
}

impl Loaded {
    /// Makes it callable under a name, with these powers and limits.
    ///
    /// An instance serves as many calls as `per_instance` says: one that serves a single call is fresh for each.
    pub fn grant(self, name: &str, powers: Powers, limits: CallLimits, per_instance: u32) -> Plugin {
        Plugin {
            name: name.into(),
            manifest: self.manifest,
            generation: self.generation,
            limits,
            powers: Arc::new(self.code.can_use(powers)),
            code: self.code,
            warm: Warm::new(self.idle, per_instance),
        }
    }
}

impl Plugin {
    /// The same code with other powers and limits.
    pub fn granted_anew(&self, powers: Powers, limits: CallLimits, per_instance: u32) -> Plugin {
        Plugin {
            name: self.name.clone(),
            manifest: self.manifest.clone(),
            generation: self.generation,
            limits,
            powers: Arc::new(self.code.can_use(powers)),
            code: self.code.clone(),
            warm: self.warm.anew(per_instance),
        }
    }
}

impl Runtime {
    /// Makes a plugin of a file's bytes. `limits` hold for its `describe`; `on_compile` is called if its code was not known.
    pub async fn load(
        &self,
        bytes: Vec<u8>,
        limits: &CallLimits,
        on_compile: impl FnOnce(),
    ) -> Result<Loaded, Refused> {
        let most = self.limits.plugin_bytes;
        if bytes.len() > most {
            return Err(Refused::new(format!(
                "the file has {} bytes, more than the {most} that plugin_bytes allows",
                bytes.len()
            )));
        }
        let generation = Generation::of(&bytes);
        let compiled = match self.cache.find(&self.engine, generation) {
            Some(compiled) => compiled,
            None => {
                on_compile();
                self.compile(generation, bytes).await?
            }
        };
        let code = match compiled {
            Compiled::Component(component) => self.link(&component)?,
            Compiled::Program(module) => self.link_program(&module)?,
        };
        let described = match &code {
            Code::Handler(pre) | Code::Responder(pre, _) => self.describe(pre, limits).await?,
            Code::Command(command) => self.describe_command(command, limits).await?,
        };
        Ok(Loaded { manifest: manifest::check(described)?, generation, code, idle: self.idle.clone() })
    }

    async fn compile(&self, generation: Generation, bytes: Vec<u8>) -> Result<Compiled, Refused> {
        let EngineLimits { compiler, compile, .. } = &self.limits;
        let compiled = match compiler {
            Compiler::Inside => {
                let engine = self.engine.clone();
                let compiling = self.threads().spawn_blocking(move || compile::here(&engine, bytes));
                compiling.await.map_err(|_| Refused::passing("compiling it failed"))?.map_err(Refused::new)?
            }
            Compiler::Child(program) => {
                let is_large = bytes.len() >= compile::LARGE_BYTES;
                let _turn = self.compiling[usize::from(is_large)].acquire().await;
                let is_quiet = !self.traffic.within(QUIET);
                compile::in_child(program, compile, &self.cache.functions(), is_quiet, bytes).await?
            }
        };
        let (engine, cache) = (self.engine.clone(), self.cache.clone());
        let kept = self.threads().spawn_blocking(move || cache.keep(&engine, generation, &compiled)).await;
        let kept = kept.map_err(|_| Refused::passing("keeping its compiled code failed"))?;
        kept.map_err(|error| Refused::new(format!("it was compiled to what cannot run here: {}", first_line(&error))))
    }

    /// Resolves its imports, once for all calls.
    fn link(&self, component: &Component) -> Result<Code, Refused> {
        let is_command = check_exports(&self.engine, component)?;
        check_imports(&self.engine, component)?;
        let pre = self.linker.instantiate_pre(component);
        let code = match is_command {
            true => pre.and_then(CommandPre::new).map(|pre| Code::Command(Command::Preview2(pre))),
            false => pre.and_then(|pre| {
                let handler = PluginPre::new(pre.clone())?;
                Ok(match exports(&self.engine, component, RESPONDER) {
                    true => Code::Responder(handler, RespondingPluginPre::new(pre)?),
                    false => Code::Handler(handler),
                })
            }),
        };
        code.map_err(|error| Refused::new(format!("it does not fit {HANDLER}: {}", first_line(&error))))
    }

    fn link_program(&self, module: &Module) -> Result<Code, Refused> {
        let pre = self.programs.instantiate_pre(module);
        let pre =
            pre.map_err(|error| Refused::new(format!("it does not fit WASI preview 1: {}", first_line(&error))))?;
        Ok(Code::Command(Command::Preview1(pre)))
    }
}

fn exports(engine: &Engine, component: &Component, name: &str) -> bool {
    component.component_type().exports(engine).any(|(exported, _)| exported.starts_with(name))
}

/// Checks that it can be called, and tells whether it is a command.
fn check_exports(engine: &Engine, component: &Component) -> Result<bool, Refused> {
    let names: Vec<String> = component.component_type().exports(engine).map(|(name, _)| name.to_owned()).collect();
    if names.iter().any(|name| name.starts_with("hookgate:plugin/handler@0.1.")) {
        return Ok(false);
    }
    if names.iter().any(|name| name.starts_with(COMMAND)) {
        return Ok(true);
    }
    let told = match names.iter().find(|name| name.starts_with(HANDLER_ANY)) {
        Some(other) => {
            format!("it speaks {other}, and this gateway speaks {HANDLER}: build it with the SDK of this version")
        }
        None if names.is_empty() => format!("it exports nothing, and a plugin exports {HANDLER}"),
        None => format!("it exports {}, and a plugin exports {HANDLER}", names.join(", ")),
    };
    Err(Refused::new(told))
}

fn check_imports(engine: &Engine, component: &Component) -> Result<(), Refused> {
    let ty = component.component_type();
    let unknown: Vec<&str> = ty
        .imports(engine)
        .map(|(name, _)| name)
        .filter(|name| !OFFERED.iter().any(|known| name.starts_with(known)))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Refused::new(format!("it imports {}, which this gateway does not offer", unknown.join(", "))))
}

/// A sentence that names what a stranger wrote, made one harmless line that is not too long.
pub(super) fn told(why: &str) -> String {
    let line = one_line(why);
    line[..line.floor_char_boundary(TEXT_BYTES.min(line.len()))].to_owned()
}

/// The cause of an error in one line.
pub(super) fn first_line(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    told(text.lines().next().unwrap_or_default())
}
