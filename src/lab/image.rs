//! The image all lab hosts start from: a pristine point release of Debian, built once and shared between labs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::tool::Tool;
use super::{LabError, machine};
use crate::model::Digest;

/// What is in the image beside the minimal base.
///
/// No libpam-systemd: with it every login is a scope, and in a cgroup v1 container systemd never learns that a scope has
/// ended, so that every reboot waits for its stop timeout.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,openssh-server,sudo,python3-minimal,iproute2,curl,ca-certificates,\
    nginx-light,procps,apt-utils";
/// The label of images of ours; its value is the recipe's digest.
const LABEL: &str = "io.switchback.lab-image";
/// Changes with the way the image is made, where the recipe's texts do not.
const VERSION: u32 = 1;
/// Documentation that nobody reads in a lab; /usr/share/doc stays, for it holds the changelogs.
const EXCLUDED: [&str; 2] = ["path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*"];
/// A slow mirror and a busy machine need a few minutes; more means that something hangs.
const BUILD_LIMIT: u64 = 900;

/// How the image is made.
#[derive(Debug)]
pub(crate) struct Recipe {
    codename: String,
    base: String,
    sources: String,
    settings: String,
    digest: Digest,
}

impl Recipe {
    /// The recipe for this machine's archive.
    pub(crate) fn new(archive: &machine::Archive) -> Self {
        let sources = format!("{}\n{}\n", archive.base, archive.security);
        let settings = format!("{}Acquire::Languages \"none\";\nAcquire::GzipIndexes \"true\";\n", archive.settings);
        let version = VERSION.to_string();
        let parts = [
            version.as_str(),
            PACKAGES,
            EXCLUDED[0],
            EXCLUDED[1],
            &sources,
            &settings,
            include_str!("files/customize"),
            include_str!("files/host"),
        ];
        // Lengths in front: no two lists of parts read the same.
        let text: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
        Self {
            codename: archive.codename.clone(),
            base: archive.base.clone(),
            sources,
            settings,
            digest: Digest::of(text.as_bytes()),
        }
    }

    /// The image's name in podman's storage.
    pub(crate) fn name(&self) -> String {
        format!("localhost/switchback-lab:{}", self.digest.short())
    }

    fn archive_file(&self, cache: &Path) -> PathBuf {
        cache.join(format!("image-{}.tar", self.digest.short()))
    }

    /// Makes sure that podman has the image: from its storage, from the cache, or built now.
    pub(crate) fn ensure(&self, cache: &Path, say: &dyn Fn(&str)) -> Result<(), LabError> {
        if self.imported()? {
            return Ok(());
        }
        // One builds; others wait for it and find it made.
        let path = cache.join("image.lock");
        let lock = File::create(&path).map_err(LabError::io(&path, "opened"))?;
        lock.lock().map_err(LabError::io(&path, "locked"))?;
        if self.imported()? {
            return Ok(());
        }
        let archive = self.archive_file(cache);
        if !archive.exists() {
            say(&format!("building the image of Debian {} (about a minute)", self.codename));
            self.build(cache, &archive)?;
        }
        say("importing the image");
        Tool::new("podman", "importing the image")
            .args(["import", "--quiet", "--change", r#"CMD ["/sbin/init"]"#, "--change", "STOPSIGNAL SIGRTMIN+3"])
            .args(["--change", &format!("LABEL {LABEL}={}", self.digest.short())])
            .args([archive.as_os_str(), self.name().as_ref()])
            .limit(BUILD_LIMIT)
            .run()
            .map(drop)
    }

    fn imported(&self) -> Result<bool, LabError> {
        let answer = Tool::new("podman", "looking for the image").args(["image", "exists", &self.name()]).ask()?;
        Ok(answer.status.success())
    }

    fn build(&self, cache: &Path, archive: &Path) -> Result<(), LabError> {
        let folder = cache.join("build");
        // Left by a build that was killed; the lock is ours.
        remove(&folder)?;
        fs::create_dir_all(&folder).map_err(LabError::io(&folder, "made"))?;
        for (name, text) in [("sources.list", self.sources.as_str()), ("apt.conf", self.settings.as_str())] {
            let path = folder.join(name);
            fs::write(&path, text).map_err(LabError::io(&path, "written"))?;
        }
        let customize = folder.join("customize");
        machine::executable(&customize, include_str!("files/customize"))?;
        machine::executable(&folder.join("host"), include_str!("files/host"))?;
        let tar = folder.join("image.tar");
        Tool::new("mmdebstrap", "building the image")
            // Beside the rest of the build, so that a killed one leaves nothing elsewhere.
            .env("TMPDIR", &folder)
            .args(["--variant=minbase", "--skip=cleanup/apt/lists"])
            .args([format!("--include={PACKAGES}"), format!("--aptopt={}", folder.join("apt.conf").display())])
            .args(EXCLUDED.map(|option| format!("--dpkgopt={option}")))
            .args([format!("--customize-hook={}", customize.display())])
            .args([self.codename.as_ref(), tar.as_os_str(), self.base.as_ref()])
            .limit(BUILD_LIMIT)
            .run()?;
        fs::rename(&tar, archive).map_err(LabError::io(archive, "written"))?;
        remove(&folder)
    }
}

fn remove(folder: &Path) -> Result<(), LabError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LabError::io(folder, "removed")(error)),
        _ => Ok(()),
    }
}

/// Removes all images of ours that no host uses, and the cache's files.
pub(crate) fn purge(cache: &Path) -> Result<(), LabError> {
    let ids = Tool::new("podman", "listing the lab's images")
        .args(["images", "--quiet", "--no-trunc", "--filter", &format!("label={LABEL}")])
        .run()?;
    for id in ids.split_whitespace() {
        Tool::new("podman", "removing an image").args(["rmi", id]).run()?;
    }
    remove(cache)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive() -> machine::Archive {
        machine::Archive {
            codename: "bookworm".to_owned(),
            base: "deb http://mirror/debian bookworm main".to_owned(),
            security: "deb http://mirror/debian-security bookworm-security main".to_owned(),
            settings: String::new(),
        }
    }

    #[test]
    fn whatever_changes_the_image_changes_its_name() {
        let plain = Recipe::new(&archive()).name();
        assert_eq!(plain, Recipe::new(&archive()).name());
        let mut other = archive();
        other.settings = "Acquire::Check-Date \"false\";\n".to_owned();
        assert_ne!(plain, Recipe::new(&other).name());
        let mut other = archive();
        other.security = other.security.replace("mirror", "elsewhere");
        assert_ne!(plain, Recipe::new(&other).name());
    }

    #[test]
    fn scripts_are_accepted_by_the_shell() -> Result<(), LabError> {
        for text in [include_str!("files/customize"), include_str!("files/host"), include_str!("files/oci-runtime")] {
            Tool::new("sh", "checking a script").args(["-n"]).input(text).run()?;
        }
        Ok(())
    }
}
