//! The processes in which a server hosts plugins.

use super::podium::Podium;
use super::shop::Shop;
use serde_json::Value;
use std::fs;
use std::process::Command;

impl Shop {
    /// How a plugin does.
    #[track_caller]
    pub(crate) fn plugin(&self, id: &str) -> Value {
        let listed = self.admin.get("/api/v1/plugins").expect(200);
        let plugins = listed["data"].as_array().unwrap();
        plugins.iter().find(|each| each["plugin"] == id).unwrap_or_else(|| panic!("{listed}")).clone()
    }
}

impl Podium {
    /// Its children that host the library with this hash.
    pub(crate) fn children(&self, sha256: &str) -> Vec<String> {
        let mut children = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let read = |name| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
            let (stat, command) = (read("stat"), read("cmdline"));
            let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
            if parent == Some(self.pid()) && command.contains("plugin-host") && command.contains(sha256) {
                children.push(entry.file_name().into_string().unwrap());
            }
        }
        children
    }

    /// Kills these; says how many there were.
    pub(crate) fn kill_children(&self, sha256: &str) -> usize {
        let kill = |pid: &String| Command::new("kill").args(["-9", pid]).status().unwrap().success();
        self.children(sha256).iter().filter(|pid| kill(pid)).count()
    }
}
