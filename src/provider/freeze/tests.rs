//! Holding services still on this machine: always let go, and what came too late is told.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::HostName;
use crate::transport::{LocalTransport, Transport};

struct Place {
    dir: tempfile::TempDir,
    host: Host,
    key: EffectKey,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = EffectKey(format!("freeze/{}", dir.path().display()));
        Self { dir, host: Host::named(HostName::new("web-1").unwrap()), key }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default().replace('\n', " ")
    }

    fn freezer(&self, freeze: &str, thaw: &str, hold: u64) -> Freezer<'_> {
        let sh = |script: &str, dir: &Path| {
            vec!["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned(), "sh".to_owned(), dir.display().to_string()]
        };
        let commands = Freeze { freeze: sh(freeze, self.dir.path()), thaw: sh(thaw, self.dir.path()) };
        let transport: Arc<dyn Transport> = Arc::new(LocalTransport);
        let machine = Machine::itself(&self.host, &transport);
        Freezer::holding(machine, &self.host, &commands, &self.key, TimeSpan::seconds(hold)).unwrap()
    }

    async fn note(&self, word: &str) -> Result<(), ProviderError> {
        let path = self.dir.path().join("log");
        std::fs::write(&path, format!("{}{word}\n", std::fs::read_to_string(&path).unwrap_or_default())).unwrap();
        Ok(())
    }
}

const FREEZE: &str = r#"echo freeze >>"$1/log""#;
const THAW: &str = r#"echo thaw >>"$1/log""#;

#[tokio::test]
async fn services_stand_still_around_the_work_and_no_longer() {
    let place = Place::new();
    place.freezer(FREEZE, THAW, 60).around(place.note("work")).await.unwrap();
    assert_eq!(place.log(), "freeze work thaw ");
    place.freezer(FREEZE, THAW, 60).settle().await.unwrap();
    assert_eq!(place.log(), "freeze work thaw ", "there is nothing to let go");
}

#[tokio::test]
async fn they_go_on_when_the_work_or_the_freezing_fails() {
    let place = Place::new();
    let failed = async { Err::<(), _>(ProviderError::Unclear("no space".into())) };
    let error = place.freezer(FREEZE, THAW, 60).around(failed).await.unwrap_err();
    assert_eq!((place.log().as_str(), error), ("freeze thaw ", ProviderError::Unclear("no space".into())));

    let place = Place::new();
    let half = format!("{FREEZE}; exit 1");
    let error = place.freezer(&half, THAW, 60).around(place.note("work")).await.unwrap_err();
    assert!(matches!(error, ProviderError::NoEffect(_)), "{error:?}");
    assert_eq!(place.log(), "freeze thaw ", "half frozen is thawed, and nothing was made");

    let place = Place::new();
    let error = place.freezer(FREEZE, "exit 1", 60).around(place.note("work")).await.unwrap_err();
    assert!(matches!(&error, ProviderError::Unclear(why) if why.contains("thaw")), "{error:?}");
}

#[tokio::test]
async fn a_host_lets_go_by_itself_and_what_was_made_then_does_not_count() {
    let place = Place::new();
    let slow = async {
        tokio::time::sleep(Duration::from_millis(2500)).await;
        place.note("work").await
    };
    let error = place.freezer(FREEZE, THAW, 1).around(slow).await.unwrap_err();
    assert!(matches!(&error, ProviderError::NoEffect(why) if why.contains("not consistent")), "{error:?}");
    assert_eq!(place.log(), "freeze thaw work thaw ");
}

#[tokio::test]
async fn what_a_controller_that_is_gone_left_frozen_is_let_go_by_the_next_call() {
    let place = Place::new();
    place.freezer(FREEZE, THAW, 60).run("freeze").await.unwrap();
    place.freezer(FREEZE, THAW, 60).settle().await.unwrap();
    assert_eq!(place.log(), "freeze thaw ");
}
