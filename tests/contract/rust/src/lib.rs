//! The plugin that every language's SDK is tested with, in Rust.

use std::time::{Duration, UNIX_EPOCH};

use hookgate_plugin::{Event, Failure, Result, log, now, plugin, random_bytes, setting};

struct Contract;

#[plugin(setting("greeting", default = "hello", about = "What it says."), setting("missing", default = "", about = ""))]
impl Contract {
    #[on("contract.fields")]
    fn fields(event: Event) -> Result {
        let or_none = |value: Option<&str>| value.unwrap_or("none").to_owned();
        let at = event.received_at().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let (id, source, provider, of_type) = (event.id(), event.source(), event.provider(), event.event_type());
        let found = [
            event.resource_id(),
            event.resource_type(),
            event.account_id(),
            event.user_id(),
            event.project_id(),
            event.workspace_id(),
            event.attribute("custom"),
            event.attribute("absent"),
        ];
        let found = found.map(or_none).join(" ");
        log::info!("fields {id} {source} {provider} {of_type} {at} {} {found}", event.attempt());
        Ok(())
    }

    #[on("contract.one", "contract.two")]
    fn several(event: Event) -> Result {
        log::info!("several {}", event.event_type());
        Ok(())
    }

    #[on("contract.wild.*")]
    fn wild(event: Event) -> Result {
        log::info!("wild {}", event.event_type());
        Ok(())
    }

    #[on("github:contract.from")]
    fn from(event: Event) -> Result {
        log::info!("from {}", event.provider());
        Ok(())
    }

    #[on("contract.log")]
    fn lines(_: Event) -> Result {
        log::debug!("a debug line");
        log::info!("an info line");
        log::warn!("a warning");
        log::error!("an error");
        log::info!("grüße 日本 🎬");
        Ok(())
    }

    #[on("contract.setting")]
    fn settings(_: Event) -> Result {
        let granted = |key| setting(key).unwrap_or_else(|| "none".into());
        log::info!("greeting={} missing={}", granted("greeting"), granted("missing"));
        Ok(())
    }

    #[on("contract.reject")]
    fn reject(_: Event) -> Result {
        Err(Failure::reject("never: ü"))
    }

    #[on("contract.retry")]
    fn retry(_: Event) -> Result {
        Err(std::io::Error::other("later: ü").into())
    }

    #[on("contract.retry-after")]
    fn retry_after(_: Event) -> Result {
        Err(Failure::retry("busy").after(Duration::from_secs(90)))
    }

    #[on("contract.trap")]
    fn trap(event: Event) -> Result {
        log::info!("{}", event.payload()[event.payload().len()]);
        Ok(())
    }

    #[on("contract.payload")]
    fn payload(event: Event) -> Result {
        let sum: u64 = event.payload().iter().map(|byte| u64::from(*byte)).sum();
        log::info!("payload {} {sum}", event.payload().len());
        Ok(())
    }

    #[on("contract.text")]
    fn text(event: Event) -> Result {
        log::info!("text {}", event.text()?);
        Ok(())
    }

    #[on("contract.clock")]
    fn clock(_: Event) -> Result {
        log::info!("clock {}", now().duration_since(UNIX_EPOCH)?.as_millis());
        Ok(())
    }

    #[on("contract.random")]
    fn random(_: Event) -> Result {
        log::info!("random {:?}", random_bytes(16));
        Ok(())
    }
}
