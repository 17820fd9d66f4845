//! `switchback status`, `pause`, `abort` and `resume`

use super::World;
use super::conform::conforms;
use super::demo::demo;

#[test]
fn an_ended_campaign_has_a_status_and_takes_no_orders() {
    let (world, ran) = demo();
    let last: serde_json::Value = ran.stdout.lines().last().unwrap().parse().unwrap();
    let campaign = last["campaign"].as_str().unwrap();
    let ran = world.run(&["status", "--state", "d/state"]);
    insta::assert_snapshot!(ran.show().replace(campaign, "[CAMPAIGN]"), @r"
    exit: 0
    ----- stdout
    campaign [CAMPAIGN] has ended: 3 fixed, 1 restored
      db-1                     ended as fixed
      web-1                    ended as fixed
      web-2                    ended as fixed
      web-3                    ended as restored
    ");
    let all = world.run(&["status", campaign, "--state", "d/state", "--format", "json"]).json();
    assert_eq!(all.as_array().unwrap().len(), 1);
    conforms("status", &all[0]);
    assert_eq!(all[0]["ended"], last["outcomes"]);
    for command in ["pause", "abort", "resume"] {
        let ran = world.refused(1, &["--state", "d/state", command, campaign]);
        let ended = ran.show().replace(campaign, "[CAMPAIGN]");
        let ran = world.refused(1, &["--state", "d/state", command]);
        insta::allow_duplicates! {
            insta::assert_snapshot!(ended, @r"
            exit: 1
            ----- stderr
            error: campaign [CAMPAIGN] has ended; nothing was done [campaign-ended]
            hint: `switchback report [CAMPAIGN]` tells what became of it
            ");
            insta::assert_snapshot!(ran.show(), @r"
            exit: 1
            ----- stderr
            error: no campaign in d/state is still open; nothing was done [no-open-campaign]
            hint: `switchback status` lists all campaigns
            ");
        }
    }
}

#[test]
fn unknown_campaigns_and_folders_are_told_and_nothing_is_made() {
    let world = World::new();
    std::fs::create_dir(world.path().join("empty")).unwrap();
    for command in ["status", "pause", "abort", "resume"] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(world.refused(1, &[command]).show(), @r"
            exit: 1
            ----- stderr
            error: there is no journal in .switchback [no-state]
            hint: --state names the folder in which `switchback run` was started
            ");
        }
        world.refused(1, &[command, "--state", "empty"]);
        world.refused(2, &[command, "c 1; reboot"]);
    }
    let (world, _) = demo();
    for command in ["status", "pause", "abort", "resume"] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(world.refused(1, &[command, "c-0", "--state", "d/state"]).show(), @r"
            exit: 1
            ----- stderr
            error: there is no campaign c-0 in d/state [unknown-campaign]
            hint: `switchback status` lists them
            ");
        }
    }
}
