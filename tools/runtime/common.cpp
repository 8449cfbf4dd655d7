#include "tools/runtime/common.h"

#include <algorithm>
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/base/timestamp.h"
#include "libimage/io/stream.h"
#include "libimage/oci/json_text.h"

#include "tools/common/console_relay.h"
#include "tools/common/output_file.h"
#include "tools/common/process.h"
#include "tools/common/terminal.h"
#include "tools/runtime/verbs.h"

namespace lade::tools {
namespace {

std::string state_root(const Arguments& arguments, const Environment& environment) {
  if (const auto given = arguments.value("root")) return *given;
  const std::string runtime_dir = environment.variable("XDG_RUNTIME_DIR");
  if (process_uid() != 0 && !runtime_dir.empty()) return runtime_dir + "/lade/runtime";
  if (process_uid() != 0) return cat("/tmp/lade-runtime-", process_uid());
  return "/run/lade/runtime";
}

/// The file that --log names; engines read an error's cause from it.
class Log {
 public:
  explicit Log(const Arguments& arguments)
      : json_(arguments.value_or("log-format", "text") == "json") {
    const auto path = arguments.value("log");
    if (!path) return;
    file_ = open_log(*path);
  }

  void add(std::string_view level, std::string_view message) const {
    if (!file_) return;
    const std::string time = to_rfc3339(system_now());
    const std::string line =
        json_ ? cat("{\"level\":\"", level, "\",\"msg\":", oci::json_string(message),
                    ",\"time\":\"", time, "\"}\n")
              : cat("time=\"", time, "\" level=", level, " msg=", oci::json_string(message), "\n");
    FdSink(file_.get(), "log").write(bytes_of(line));
  }

 private:
  bool json_;
  UniqueFd file_;
};

}  // namespace

int with_runtime(const Arguments& arguments, const Environment& environment,
                 const std::function<int(runtime::Runtime&)>& body) {
  const Log log(arguments);
  try {
    if (arguments.flag("systemd-cgroup")) {
      throw Error(Errc::unsupported,
                  "--systemd-cgroup is not supported: control groups are made "
                  "directly (cgroupfs)");
    }
    runtime::Runtime runtime(state_root(arguments, environment), [&](const std::string& text) {
      log.add("warning", text);
      print_error(cat("lade: warning: ", text, "\n"));
    });
    return body(runtime);
  } catch (const Error& e) {
    log.add("error", e.what());
    throw;
  }
}

runtime::ProcessOptions process_options(const Arguments& arguments) {
  runtime::ProcessOptions options;
  options.pid_file = arguments.value_or("pid-file", "");
  options.console_socket = arguments.value_or("console-socket", "");
  options.preserve_fds =
      static_cast<std::uint32_t>(arguments.number("preserve-fds", 0, 1024).value_or(0));
  if (arguments.flag("no-new-keyring")) options.keyring = sandbox::Keyring::callers;
  for (std::uint32_t i = 0; i < options.preserve_fds; ++i) {
    if (!is_open_descriptor(static_cast<int>(3 + i))) {
      throw UsageError(cat("option --preserve-fds: descriptor ", 3 + i, " is not open"));
    }
  }
  return options;
}

int run_in_front(const Arguments& arguments, bool terminal,
                 const std::function<runtime::Child(const runtime::ProcessOptions&)>& begin) {
  runtime::ProcessOptions options = process_options(arguments);
  const bool detach = arguments.flag("detach");
  if (!terminal || !options.console_socket.empty()) {
    const runtime::Child child = begin(options);
    return detach ? 0 : wait_for(child);
  }
  if (detach) throw UsageError("a detached terminal needs --console-socket");
  ConsoleSockets sockets = make_console_sockets();
  options.console_fd = sockets.theirs.get();
  const runtime::Child child = begin(options);
  sockets.theirs.reset();
  relay_console(sockets.ours);
  return wait_for(child);
}

std::vector<std::string> runtime_words(std::vector<std::string> words) {
  if (!words.empty() && (words.front() == "--version" || words.front() == "-v")) {
    return {"--version"};
  }
  if (words.empty() || words.front() == "--help" || words.front() == "-h") return {"--help"};
  std::vector<std::string> before;
  while (!words.empty() && words.front().starts_with("-")) {
    const std::string word = words.front();
    const auto take = [&] {
      before.push_back(words.front());
      words.erase(words.begin());
    };
    take();
    const bool valued =
        std::any_of(kRuntimeOptions.begin(), kRuntimeOptions.end(), [&](const OptionSpec& option) {
          return word == cat("--", option.name) && !option.value.empty();
        });
    if (valued && !words.empty()) take();
  }
  if (words.empty()) throw UsageError("no verb is given");
  std::vector<std::string> all = {"runtime", words.front()};
  all.insert(all.end(), before.begin(), before.end());
  all.insert(all.end(), words.begin() + 1, words.end());
  return all;
}

}  // namespace lade::tools
