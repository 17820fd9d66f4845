//! `switchback lab`: usage errors; the lab itself is tested with real hosts.

use super::World;

#[test]
fn wrong_usage_makes_nothing() {
    let world = World::new();
    insta::assert_snapshot!(world.refused(2, &["lab", "plant", "web-1", "gremlins"]).show(), @r"
    exit: 2
    ----- stderr
    error: invalid value 'gremlins' for '<FAULT>'
      [possible values: healthy, failing-postinst, nginx-broken, nginx-500, slow, apt-locked, dpkg-interrupted, disk-full, cut, partition, mirror-gone, ssh-gone, reboot, no-return]

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(world.refused(2, &["lab", "up", "--hosts", "0"]).show(), @r"
    exit: 2
    ----- stderr
    error: invalid value '0' for '--hosts <HOSTS>': 0 is not in 1..=100

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(world.refused(2, &["lab", "up", "--network", "10.77.3.0"]).show(), @r#"
    exit: 2
    ----- stderr
    error: invalid value '10.77.3.0' for '--network <NETWORK>': network "10.77.3.0" is not written like 10.77.3.0/24

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(world.refused(2, &["lab", "up", "--prefix", "a;b"]).show(), @r#"
    exit: 2
    ----- stderr
    error: invalid value 'a;b' for '--prefix <PREFIX>': lab prefix "a;b" is not 1 to 20 lower-case letters, digits and -, starting with a letter

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(world.refused(1, &["lab", "heal", "web-1", "cut"]).show(), @r"
    exit: 1
    ----- stderr
    error: lab: lab [DIR]/.switchback-lab is not up
    hint: switchback lab up
    ");
    world.refused(2, &["lab"]);
    world.refused(2, &["lab", "plant", "a; reboot", "cut"]);
}
