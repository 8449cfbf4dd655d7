#include "tests/sandbox/busybox_root.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::sandbox {
namespace {

namespace fs = std::filesystem;

std::string temporary_parent() {
  const char* parent = std::getenv("TMPDIR");
  return parent != nullptr ? parent : "/tmp";
}

}  // namespace

void write_file(const std::string& path, const std::string& content, unsigned mode) {
  std::ofstream(path, std::ios::binary) << content;
  fs::permissions(path, static_cast<fs::perms>(mode));
}

BusyboxRoot::BusyboxRoot()
    : dir_(temporary_parent(), "lade-sandbox-"), root_(dir_.path() + "/root") {
  fs::permissions(dir_.path(), fs::perms{0755});
  fs::create_directories(root_ + "/bin");
  fs::copy_file("/bin/busybox", root_ + "/bin/busybox");  // package busybox-static
  for (const char* applet :
       {"sh",    "cat",    "echo",     "ls",       "id",    "true", "false", "env",
        "sleep", "mount",  "umount",   "mkdir",    "touch", "rm",   "rmdir", "stat",
        "grep",  "awk",    "readlink", "hostname", "head",  "dd",   "wc",    "ip",
        "pwd",   "chmod",  "mknod",    "chroot",   "test",  "kill", "ln",    "mv",
        "yes",   "setsid", "ps",       "unshare",  "nc"}) {
    fs::create_symlink("busybox", root_ + "/bin/" + applet);
  }
}

OverlaidRoot::OverlaidRoot() {
  fs::create_directory(upper());
  fs::create_directory(work());
}

OverlayRoot OverlaidRoot::overlay() const { return {{lower()}, upper(), work()}; }

std::vector<std::string> OverlaidRoot::changes() const {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(upper())) {
    std::string name = entry.path().string().substr(upper().size() + 1);
    struct stat attributes {};
    if (::lstat(entry.path().c_str(), &attributes) != 0) throw_errno("stat");
    if (S_ISDIR(attributes.st_mode)) name += '/';
    if (S_ISCHR(attributes.st_mode) && attributes.st_rdev == 0) name += " (whiteout)";
    found.push_back(std::move(name));
  }
  std::sort(found.begin(), found.end());
  return found;
}

RuntimeConfig shell_step(const Root& root, const std::string& script) {
  RuntimeConfig step = default_config();
  step.root = root;
  step.process.args = {"/bin/sh", "-c", script};
  step.process.env = {"PATH=/bin"};
  return step;
}

Ran run(const RuntimeConfig& step, const std::stop_token& stop) {
  StringSink output;
  const StepStatus status = builtin_runner()->run(step, {.output = output}, stop);
  return {status.exit_status, output.text()};
}

Ran run_shell(const std::string& root, const std::string& script) {
  return run(shell_step({root}, script));
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> found;
  for (const std::string_view line : split(text, '\n')) found.emplace_back(line);
  if (!found.empty() && found.back().empty()) found.pop_back();
  return found;
}

}  // namespace lade::sandbox
