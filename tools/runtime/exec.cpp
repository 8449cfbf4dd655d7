// lade runtime exec: another process in a running container.
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/runtime/config_json.h"

#include "tools/common/output_file.h"
#include "tools/runtime/common.h"
#include "tools/runtime/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<OptionSpec, 8> kExecOptions = {{
    {.name = "process",
     .letter = 'p',
     .value = "FILE",
     .help = "the whole process as config.json has it, in place of a command"},
    {.name = "cwd", .value = "DIR", .help = "working directory in the container"},
    {.name = "env",
     .letter = 'e',
     .value = "NAME=VALUE",
     .help = "set a variable",
     .repeats = true},
    {.name = "user", .letter = 'u', .value = "UID[:GID]", .help = "ids of the process"},
    {.name = "additional-gids",
     .letter = 'g',
     .value = "GID",
     .help = "a group besides",
     .repeats = true},
    {.name = "cap", .letter = 'c', .value = "CAP", .help = "add a capability", .repeats = true},
    {.name = "tty", .letter = 't', .help = "give it a terminal"},
    {.name = "no-new-privs", .help = "it can gain no privileges by executing programs"},
}};
const std::array<std::span<const OptionSpec>, 3> kExecGroups = {kExecOptions, kProcessOptions,
                                                                kRuntimeOptions};
constexpr std::array<std::string_view, 2> kExecExamples = {"Look around in a container",
                                                           "lade runtime exec -t web sh"};

std::uint32_t id_of(std::string_view word) {
  const auto id = parse_decimal(word);
  if (!id || *id >= 0xffffffffU) throw UsageError(cat(quoted(word), " is no id"));
  return static_cast<std::uint32_t>(*id);
}

void take_options(const Arguments& arguments, sandbox::Process& process) {
  const auto& words = arguments.positional();
  process.args.assign(words.begin() + 1, words.end());
  process.terminal = arguments.flag("tty");
  process.console_size.reset();
  if (const auto cwd = arguments.value("cwd")) process.cwd = *cwd;
  for (const std::string& variable : arguments.values("env")) process.env.push_back(variable);
  if (const auto user = arguments.value("user")) {
    const std::size_t colon = user->find(':');
    process.user.uid = id_of(std::string_view(*user).substr(0, colon));
    if (colon != std::string::npos) {
      process.user.gid = id_of(std::string_view(*user).substr(colon + 1));
    }
  }
  for (const std::string& gid : arguments.values("additional-gids")) {
    process.user.additional_gids.push_back(id_of(gid));
  }
  for (const std::string& name : arguments.values("cap")) {
    process.capabilities.bounding.insert(name);
    process.capabilities.permitted.insert(name);
    process.capabilities.effective.insert(name);
  }
  if (arguments.flag("no-new-privs")) process.no_new_privileges = true;
}

sandbox::Process process_of(const Arguments& arguments, runtime::Runtime& runtime) {
  const auto& words = arguments.positional();
  if (const auto file = arguments.value("process")) {
    if (words.size() > 1) throw UsageError("option --process and a command exclude each other");
    sandbox::Process process = runtime::parse_process(read_input(*file, runtime::kMaxConfigBytes));
    // An engine may ask for the terminal by the option alone.
    if (arguments.flag("tty")) process.terminal = true;
    return process;
  }
  if (words.size() < 2) throw UsageError("give a command or --process");
  sandbox::Process process = runtime.config(words.front()).process;
  take_options(arguments, process);
  return process;
}

int run_exec(const Arguments& arguments, const Environment& environment) {
  return with_runtime(arguments, environment, [&](runtime::Runtime& runtime) {
    const sandbox::Process process = process_of(arguments, runtime);
    return run_in_front(arguments, process.terminal, [&](const auto& options) {
      return runtime.exec(arguments.positional().front(), process, options);
    });
  });
}

}  // namespace

const VerbSpec kRuntimeExecVerb = {
    .name = "runtime exec",
    .synopsis = "ID [COMMAND [ARGUMENT...]]",
    .summary = "run another process in a container",
    .description =
        "Runs COMMAND in the namespaces and control groups of a running container, as the user and "
        "with the environment, capabilities and filter of its config.json. Options come before ID.",
    .options = kExecGroups,
    .examples = kExecExamples,
    .min_positional = 1,
    .max_positional = 4096,
    .run = run_exec,
    .command_after = 1,
    .group = "Runtime",
};

}  // namespace lade::tools
