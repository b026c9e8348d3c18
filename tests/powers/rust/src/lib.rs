//! What the SDKs' powers are tested with, in Rust.

use std::time::Duration;

use hookgate_plugin::{
    Answer, Emission, ErrorKind, Event, Failure, Json, PowerError, Result, emit, frameio, http, log, plugin,
    setting_as, state,
};
use serde::Deserialize;

struct Powers;

#[derive(Deserialize)]
struct Target {
    url: String,
}

#[derive(Deserialize)]
struct FileOf {
    api: String,
    account: String,
    file: String,
}

#[plugin(
    setting("limit", type = "integer", default = 3, about = "How many."),
    state(about = "What it did."),
    host("*", methods = "GET POST", credential = "bearer", optional),
    emit("made.*")
)]
impl Powers {
    #[on("powers.state")]
    fn state(_: Event) -> Result {
        let yes = |there: bool| if there { "yes" } else { "no" };
        state::set("k", "v1")?;
        log::info!("got {}", state::get_text("k")?.unwrap_or_default());
        log::info!("n {}", state::increment("n", 2)?);
        state::set("k2", [0, 255])?;
        log::info!("keys {}", state::keys("k")?.join(" "));
        state::delete("k2")?;
        log::info!("left {}", state::keys("k")?.join(" "));
        for _ in 0..2 {
            log::info!("swapped {}", state::compare_and_set("k", Some(b"v1"), "v2")?);
        }
        log::info!("none {}", yes(state::get("none")?.is_some()));
        state::set_for("soon", "x", Duration::from_secs(3600))?;
        log::info!("limit {}", setting_as::<i64>("limit")?);
        Ok(())
    }

    #[on("powers.http")]
    fn http(Json(target): Json<Target>) -> Result {
        let answer = http::Request::post(target.url).header("x-own", "1").body("hello").send()?;
        log::info!("status {}", answer.status());
        log::info!("told {}", String::from_utf8_lossy(answer.body()).replace('\n', " "));
        Ok(())
    }

    #[on("powers.emit")]
    fn emit(_: Event) -> Result {
        Emission::new("made.it").payload(r#"{"n":1}"#).attribute("why", "because").emit()?;
        log::info!("emitted");
        Ok(())
    }

    #[on("powers.denied")]
    fn denied(_: Event) -> Result {
        let told = |error: PowerError| {
            let kind = match error.kind {
                ErrorKind::Denied => "denied",
                ErrorKind::Invalid => "invalid",
                _ => "another",
            };
            log::info!("{kind}");
        };
        emit("other.it", "").err().map(told);
        http::Request::get("https://not.granted.example/").send().err().map(told);
        state::get("").err().map(told);
        Ok(())
    }

    #[on("powers.escape")]
    fn escape(_: Event) -> Result {
        state::get("")?;
        Ok(())
    }

    #[on("powers.forget")]
    fn forget(_: Event) -> Result {
        state::set("lost", "x")?;
        emit("made.lost", "")?;
        Err(Failure::retry("not now"))
    }

    #[on("powers.frameio")]
    fn comment(Json(at): Json<FileOf>) -> Result {
        let client = frameio::Client::new().with_base_url(at.api);
        let comment = client.comments().create(at.account.as_str(), at.file.as_str(), "from rust")?;
        log::info!("commented {}", comment.text().unwrap_or_default());
        Ok(())
    }

    #[on("powers.show")]
    fn show(Json(at): Json<FileOf>) -> Result {
        let file = frameio::Client::new().with_base_url(at.api).files().show(at.account.as_str(), at.file.as_str())?;
        log::info!("file {}", file.name().unwrap_or_default());
        Ok(())
    }

    #[respond("powers.ask")]
    fn ask(event: Event) -> Result<Answer> {
        let n = state::increment("asked", 1)?;
        match event.text()? {
            "fail" => Err(Failure::retry("cannot")),
            "message" => Ok(frameio::Message::new("T", "D").into()),
            asked => Ok(Answer::new(201).with_header("x-answered", "yes").with_body(format!("asked {n} {asked}"))),
        }
    }
}
