// What skopeo's commands share: help, versions, failures.
#include "tools/compat/skopeo.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/transports.h"

#include "tools/common/signals.h"
#include "tools/common/terminal.h"
#include "tools/compat/go_log.h"
#include "tools/compat/skopeo_flags.h"
#include "tools/compat/skopeo_table.h"

namespace lade::tools::compat {
namespace {

constexpr int kFailed = 1;
constexpr int kInterrupted = 130;

std::string transport_list() {
  std::vector<std::string> names = transport_names();
  std::sort(names.begin(), names.end());
  std::string out;
  for (const std::string& name : names) out += cat(out.empty() ? "" : ", ", name);
  return out;
}

std::string command_help(const Command& command) {
  std::string description(command.description);
  if (const std::size_t at = description.find('%'); at != std::string::npos)
    description.replace(at, 1, transport_list());
  std::string example(command.example);
  for (std::size_t at = example.find('\n'); at != std::string::npos;
       at = example.find('\n', at + 1)) {
    example.insert(at + 1, "  ");
  }
  if (!example.empty()) example = cat("\n\nExamples:\n", example);
  return cat(description, "\n\nUsage:\nskopeo ", command.name, " ", command.use, example,
             "\n\nFlags:\n", flag_usages(command.flags, command.name), "\n");
}

std::string root_help() {
  std::string out =
      "Various operations with container images and container image registries\n\n"
      "Usage:\n  skopeo [flags]\n  skopeo [command]\n\nAvailable Commands:\n";
  constexpr std::size_t kColumn = 18;
  const auto line = [&](std::string_view name, std::string_view summary) {
    out += cat("  ", name, std::string(kColumn - name.size(), ' '), summary, "\n");
  };
  for (const Command& command : commands()) {
    if (!command.hidden) line(command.name, command.summary);
  }
  line("help", "Help about any command");
  return cat(out, "\nFlags:\n", flag_usages({kGlobalFlags, kRootFlags}, "skopeo"),
             "\nUse \"skopeo [command] --help\" for more information about a command.\n");
}

[[noreturn]] void refuse_command(const std::string& name) {
  std::string close;
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    if (command.hidden) continue;
    const std::string known(command.name);
    const bool near = known.starts_with(lower_case(name)) || nearest(name, {known}).has_value();
    if (near) close += cat("\n\t", known);
  }
  if (!close.empty()) close = cat("\n\nDid you mean this?", close, "\n");
  throw Fatal(cat("Unrecognized command `skopeo ", name, "`", close,
                  "\nTry 'skopeo --help' for more information"));
}

/// Asks for a stop when the time is up.
class Deadline {
 public:
  Deadline(std::chrono::nanoseconds time, std::stop_source& stop) {
    if (time <= std::chrono::nanoseconds(0)) return;
    timer_ = std::jthread([this, time, &stop](const std::stop_token& over) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, over, time, [] { return false; });
      if (over.stop_requested()) return;
      passed_ = true;
      stop.request_stop();
    });
  }
  [[nodiscard]] bool passed() {
    const std::scoped_lock lock(mutex_);
    return passed_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool passed_ = false;  // guarded by mutex_
  std::jthread timer_;
};

void run_command(const Command& command, const Flags& flags, const Environment& environment) {
  if (flags.boolean("insecure-policy") && flags.boolean("require-signed"))
    throw Fatal("--insecure-policy and --require-signed are mutually exclusive");
  if (flags.given("registries.d")) {
    log(Level::warning,
        "--registries.d: signature storage is not implemented, so that nothing is read from it");
  }
  if (flags.boolean("debug")) {
    show_debug_lines();
    log(Level::debug, cat("Running skopeo ", command.name));
  }
  const StopOnSignal signals;
  std::stop_source stop;
  const std::stop_callback forward(signals.token(), [&] { stop.request_stop(); });
  Deadline deadline(flags.duration("command-timeout"), stop);
  try {
    command.run({.flags = flags, .environment = environment, .stop = stop.get_token()});
  } catch (const Cancelled&) {
    if (deadline.passed()) throw Fatal("context deadline exceeded");
    throw;
  } catch (const Fatal& e) {
    if (e.help() == Fatal::Help::shown) print_error(command_help(command));
    throw;
  }
}

/// `skopeo help [COMMAND]`
void print_help(const std::vector<std::string>& words) {
  if (words.empty()) return print(root_help());
  const std::vector<Command> all = commands();
  const Command* command = find_command(all, words.front());
  if (command == nullptr || command->run == nullptr) refuse_command(words.front());
  print(command_help(*command));
}

void run_words(const std::vector<std::string>& words, const Environment& environment) {
  Flags flags;
  std::vector<std::string> rest =
      parse_flags({kGlobalFlags, kRootFlags}, words, Stop::at_command, flags);
  if (flags.boolean("help")) return print(root_help());
  if (flags.boolean("version")) return print(cat("skopeo version ", kSkopeoVersion, " (lade)\n"));
  if (rest.empty())
    throw Fatal("Missing command 'skopeo COMMAND'\nTry 'skopeo --help' for more information");
  const std::string name = rest.front();
  rest.erase(rest.begin());
  if (name == "help") return print_help(rest);
  if (name == "__complete" || name == "__completeNoDesc")
    return print(
        completions(rest, name == "__complete" ? Descriptions::shown : Descriptions::left_out));
  const std::vector<Command> all = commands();
  const Command* command = find_command(all, name);
  if (command == nullptr) refuse_command(name);
  if (command->run == nullptr) throw Fatal(cat("skopeo ", name, " is not implemented yet"));
  if (flags.given("tls-verify")) {
    log(Level::warning, "'--tls-verify' is deprecated, please set this on the specific subcommand");
  }
  FlagGroups groups = command->flags;
  groups.emplace_back(kGlobalFlags);
  parse_flags(groups, rest, Stop::at_end, flags);
  if (flags.boolean("help")) return print(command_help(*command));
  run_command(*command, flags, environment);
}

}  // namespace

int run_skopeo(const std::vector<std::string>& words, const Environment& environment) {
  try {
    run_words(words, environment);
    return 0;
  } catch (const Fatal& e) {
    log(Level::fatal, e.what());
    return e.status();
  } catch (const UsageError& e) {
    log(Level::fatal, e.what());
  } catch (const Cancelled&) {
    log(Level::fatal, "interrupted");
    return kInterrupted;
  } catch (const Error& e) {
    log(Level::fatal, e.what());
  } catch (const std::exception& e) {  // the last resort: memory exhausted, or a defect of ours
    log(Level::fatal, cat("internal error: ", e.what()));
  }
  return kFailed;
}

}  // namespace lade::tools::compat
