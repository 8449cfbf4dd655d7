// lade runtime create, start, state, kill, delete, pause, resume, run.
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/json_text.h"

#include "tools/common/terminal.h"
#include "tools/runtime/common.h"
#include "tools/runtime/verbs.h"

namespace lade::tools {
namespace {

using runtime::Runtime;

constexpr std::array<OptionSpec, 1> kBundleOptions = {{
    {.name = "bundle",
     .letter = 'b',
     .value = "DIR",
     .help = "the directory with config.json; else the current one"},
}};
constexpr std::array<OptionSpec, 1> kNoPivotOptions = {{
    {.name = "no-pivot", .help = "refused: the root is always left by pivot_root"},
}};
constexpr std::array<OptionSpec, 1> kKillOptions = {{
    {.name = "all", .letter = 'a', .help = "signal every process of the container"},
}};
constexpr std::array<OptionSpec, 1> kDeleteOptions = {{
    {.name = "force", .letter = 'f', .help = "kill it first if it runs; absent is no error"},
}};
constexpr std::array<OptionSpec, 1> kKeepOptions = {{
    {.name = "keep", .help = "do not delete the container when it has ended"},
}};

// The groups as verbs show them.
const std::array<std::span<const OptionSpec>, 1> kStateGroups = {kRuntimeOptions};
const std::array<std::span<const OptionSpec>, 4> kCreateGroups = {kBundleOptions, kProcessOptions,
                                                                  kNoPivotOptions, kRuntimeOptions};
const std::array<std::span<const OptionSpec>, 5> kRunGroups = {
    kBundleOptions, kProcessOptions, kKeepOptions, kNoPivotOptions, kRuntimeOptions};
const std::array<std::span<const OptionSpec>, 2> kKillGroups = {kKillOptions, kRuntimeOptions};
const std::array<std::span<const OptionSpec>, 2> kDeleteGroups = {kDeleteOptions, kRuntimeOptions};

constexpr std::array<std::string_view, 2> kCreateExamples = {
    "Create a container from a bundle and start it",
    "lade runtime create -b bundle web && lade runtime start web"};
constexpr std::array<std::string_view, 2> kStartExamples = {"Start a created container",
                                                            "lade runtime start web"};
constexpr std::array<std::string_view, 2> kStateExamples = {"Show a container's state",
                                                            "lade runtime state web"};
constexpr std::array<std::string_view, 2> kKillExamples = {"Ask a container to end",
                                                           "lade runtime kill web TERM"};
constexpr std::array<std::string_view, 2> kDeleteExamples = {"Take a container away",
                                                             "lade runtime delete --force web"};
constexpr std::array<std::string_view, 2> kPauseExamples = {
    "Stop a container's processes for a while", "lade runtime pause web"};
constexpr std::array<std::string_view, 2> kResumeExamples = {"Let them go on",
                                                             "lade runtime resume web"};
constexpr std::array<std::string_view, 2> kRunExamples = {"Run a bundle in the foreground",
                                                          "lade runtime run -b bundle once"};

std::string id_of(const Arguments& arguments) { return arguments.positional().front(); }

std::string bundle_of(const Arguments& arguments) {
  if (arguments.flag("no-pivot")) {
    throw Error(Errc::unsupported,
                "--no-pivot is not supported: a root that is only changed can be left again");
  }
  return arguments.value_or("bundle", ".");
}

int run_create(const Arguments& arguments, const Environment& environment) {
  return with_runtime(arguments, environment, [&](Runtime& runtime) {
    const std::string bundle = bundle_of(arguments);
    (void)runtime.create(id_of(arguments), bundle, process_options(arguments));
    return 0;
  });
}

/// A verb that is one operation on the container ID.
template <void (Runtime::*kOperation)(const std::string&)>
int run_operation(const Arguments& arguments, const Environment& environment) {
  return with_runtime(arguments, environment, [&](Runtime& runtime) {
    (runtime.*kOperation)(id_of(arguments));
    return 0;
  });
}

int run_state(const Arguments& arguments, const Environment& environment) {
  return with_runtime(arguments, environment, [&](Runtime& runtime) {
    print(cat(oci::pretty_json(runtime.state(id_of(arguments))), "\n"));
    return 0;
  });
}

int run_kill(const Arguments& arguments, const Environment& environment) {
  return with_runtime(arguments, environment, [&](Runtime& runtime) {
    const auto& words = arguments.positional();
    const int signal = runtime::signal_number(words.size() > 1 ? words[1] : "TERM");
    runtime.kill(
        words.front(), signal,
        arguments.flag("all") ? Runtime::Reach::all_processes : Runtime::Reach::first_process);
    return 0;
  });
}

int run_delete(const Arguments& arguments, const Environment& environment) {
  return with_runtime(arguments, environment, [&](Runtime& runtime) {
    runtime.remove(id_of(arguments), arguments.flag("force") ? Runtime::Force::kill_running
                                                             : Runtime::Force::refuse_running);
    return 0;
  });
}

int run_run(const Arguments& arguments, const Environment& environment) {
  return with_runtime(arguments, environment, [&](Runtime& runtime) {
    const std::string id = id_of(arguments);
    const std::string bundle = bundle_of(arguments);
    const bool terminal = runtime::load_bundle(bundle).process.terminal;
    bool created = false;
    const auto take_away = [&] {
      const bool stays = arguments.flag("keep") || arguments.flag("detach");
      if (created && !stays) runtime.remove(id, Runtime::Force::kill_running);
    };
    try {
      const int status = run_in_front(arguments, terminal, [&](const auto& options) {
        runtime::Child child = runtime.create(id, bundle, options);
        created = true;
        runtime.start(id);
        return child;
      });
      take_away();
      return status;
    } catch (const Error&) {
      take_away();
      throw;
    }
  });
}

}  // namespace

const VerbSpec kRuntimeCreateVerb = {
    .name = "runtime create",
    .synopsis = "ID",
    .summary = "create a container from a bundle",
    .description =
        "Does everything that the bundle's config.json (OCI runtime specification) asks for but "
        "starting its program, which waits for 'lade runtime start'.\n\nA program called "
        "lade-runtime (a link to lade) takes the verbs of 'lade runtime' directly, which is what "
        "engines expect: podman --runtime /usr/bin/lade-runtime.",
    .options = kCreateGroups,
    .examples = kCreateExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_create,
    .group = "Runtime",
};

const VerbSpec kRuntimeStartVerb = {
    .name = "runtime start",
    .synopsis = "ID",
    .summary = "start the program of a created container",
    .description = "Has the container's program executed and runs its poststart hooks.",
    .options = kStateGroups,
    .examples = kStartExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_operation<&Runtime::start>,
    .group = "Runtime",
};

const VerbSpec kRuntimeStateVerb = {
    .name = "runtime state",
    .synopsis = "ID",
    .summary = "print a container's state",
    .description = "Prints the state document of the OCI runtime specification.",
    .options = kStateGroups,
    .examples = kStateExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_state,
    .group = "Runtime",
};

const VerbSpec kRuntimeKillVerb = {
    .name = "runtime kill",
    .synopsis = "ID [SIGNAL]",
    .summary = "send a signal to a container",
    .description = "Sends SIGNAL (TERM by default; a name or a number) to its first process.",
    .options = kKillGroups,
    .examples = kKillExamples,
    .min_positional = 1,
    .max_positional = 2,
    .run = run_kill,
    .group = "Runtime",
};

const VerbSpec kRuntimeDeleteVerb = {
    .name = "runtime delete",
    .synopsis = "ID",
    .summary = "take away what is kept of a container",
    .description =
        "Removes a stopped or merely created container's control groups and state and runs its "
        "poststop hooks.",
    .options = kDeleteGroups,
    .examples = kDeleteExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_delete,
    .group = "Runtime",
};

const VerbSpec kRuntimePauseVerb = {
    .name = "runtime pause",
    .synopsis = "ID",
    .summary = "suspend the processes of a container",
    .description = "Freezes its control group until 'lade runtime resume'.",
    .options = kStateGroups,
    .examples = kPauseExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_operation<&Runtime::pause>,
    .group = "Runtime",
};

const VerbSpec kRuntimeResumeVerb = {
    .name = "runtime resume",
    .synopsis = "ID",
    .summary = "let a paused container go on",
    .description = "Thaws the control group that 'lade runtime pause' froze.",
    .options = kStateGroups,
    .examples = kResumeExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_operation<&Runtime::resume>,
    .group = "Runtime",
};

const VerbSpec kRuntimeRunVerb = {
    .name = "runtime run",
    .synopsis = "ID",
    .summary = "create, start and wait for a container",
    .description =
        "Runs a bundle in the foreground with this command's streams (its terminal where "
        "config.json asks for one), passes signals on, exits with its status and deletes it.",
    .options = kRunGroups,
    .examples = kRunExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_run,
    .group = "Runtime",
};

}  // namespace lade::tools
