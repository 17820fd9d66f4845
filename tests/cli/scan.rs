//! `switchback scan`: what goes wrong before a host is asked.

use super::World;

#[test]
fn an_inventory_is_needed() {
    let world = World::new();
    insta::assert_snapshot!(world.refused(2, &["scan"]).show(), @r"
    exit: 2
    ----- stderr
    error: the following required arguments were not provided:
      --inventory <INVENTORY>...

    Usage: switchback scan --inventory <INVENTORY>...

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(world.refused(3, &["scan", "-i", "nothere.yaml", "-o", "f.json"]).show(), @r"
    exit: 3
    ----- stderr
    unreadable-file

      × nothere.yaml: cannot be read: No such file or directory (os error 2)
      help: check the path and that you may read it

    error: 1 error in the input; nothing was done
    ");
}

#[test]
fn hosts_must_be_in_the_inventory() {
    let world = World::new();
    world.example("first-plan");
    let ran = world.refused(3, &["scan", "-i", "inventory.yaml", "--host", "web-9", "-o", "f.json"]);
    insta::assert_snapshot!(ran.show(), @r"
    exit: 3
    ----- stderr
    error: the inventory does not have web-9 [unknown-host]
    hint: --host names hosts as the inventory names them
    ");
    world.refused(2, &["scan", "-i", "inventory.yaml", "--host", "-oProxyCommand=reboot"]);
    world.refused(2, &["scan", "-i", "inventory.yaml", "--concurrency", "0"]);
}

#[test]
fn a_bad_inventory_is_told_with_its_place() {
    let world = World::new();
    world.write("i.yaml", "version: 1\nhosts:\n  web-1: {ssh: {port: 70000}}\n  -x: {}\n");
    let ran = world.refused(3, &["scan", "-i", "i.yaml", "-o", "f.json"]);
    insta::assert_snapshot!(ran.show(), @r"
    exit: 3
    ----- stderr
    wrong-type

      × expected a whole number from 0, at most 65535, found the number `70000`
       ╭─[i.yaml:3:23]
     2 │ hosts:
     3 │   web-1: {ssh: {port: 70000}}
       ·                       ─────
     4 │   -x: {}
       ╰────

    error: 1 error in the input; nothing was done
    ");
}
