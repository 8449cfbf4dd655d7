// lade runtime spec, list, ps, features, update.
#include <algorithm>
#include <array>
#include <filesystem>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/oci/json_text.h"
#include "libimage/runtime/config_json.h"

#include "tools/common/output_file.h"
#include "tools/common/process.h"
#include "tools/common/terminal.h"
#include "tools/runtime/common.h"
#include "tools/runtime/verbs.h"

namespace lade::tools {
namespace {

using runtime::Runtime;

constexpr std::array<OptionSpec, 2> kSpecOptions = {{
    {.name = "bundle",
     .letter = 'b',
     .value = "DIR",
     .help = "write DIR/config.json; else print it"},
    {.name = "rootless", .help = "for a user without privileges: with a user namespace"},
}};
constexpr std::array<OptionSpec, 2> kListOptions = {{
    {.name = "format",
     .letter = 'f',
     .value = "FORMAT",
     .help = "table or json",
     .choices = kListFormats},
    {.name = "quiet", .letter = 'q', .help = "print ids alone"},
}};
constexpr std::array<OptionSpec, 1> kPsOptions = {{
    {.name = "format",
     .letter = 'f',
     .value = "FORMAT",
     .help = "table or json",
     .choices = kListFormats},
}};
constexpr std::array<OptionSpec, 10> kUpdateOptions = {{
    {.name = "resources",
     .letter = 'r',
     .value = "FILE",
     .help = "resources as config.json has them; - for standard input"},
    {.name = "memory", .value = "BYTES", .help = "limit of memory"},
    {.name = "memory-reservation", .value = "BYTES", .help = "memory that is left to it longest"},
    {.name = "memory-swap", .value = "BYTES", .help = "limit of memory and swap together"},
    {.name = "cpu-shares", .value = "N", .help = "weight beside others; 1024 is common"},
    {.name = "cpu-quota", .value = "MICROSECONDS", .help = "time on processors in each period"},
    {.name = "cpu-period", .value = "MICROSECONDS", .help = "length of a period"},
    {.name = "cpuset-cpus", .value = "LIST", .help = "processors, as 0-3,6"},
    {.name = "cpuset-mems", .value = "LIST", .help = "memory nodes"},
    {.name = "pids-limit", .value = "N", .help = "number of processes and threads"},
}};

const std::array<std::span<const OptionSpec>, 1> kSpecGroups = {kSpecOptions};
const std::array<std::span<const OptionSpec>, 2> kListGroups = {kListOptions, kRuntimeOptions};
const std::array<std::span<const OptionSpec>, 2> kPsGroups = {kPsOptions, kRuntimeOptions};
const std::array<std::span<const OptionSpec>, 2> kUpdateGroups = {kUpdateOptions, kRuntimeOptions};

constexpr std::array<std::string_view, 2> kSpecExamples = {
    "Begin a bundle around a root file system", "lade runtime spec --bundle bundle"};
constexpr std::array<std::string_view, 2> kListExamples = {"List the containers",
                                                           "lade runtime list"};
constexpr std::array<std::string_view, 2> kPsExamples = {"List a container's processes",
                                                         "lade runtime ps web"};
constexpr std::array<std::string_view, 2> kFeaturesExamples = {"Print what the runtime can do",
                                                               "lade runtime features"};
constexpr std::array<std::string_view, 2> kUpdateExamples = {
    "Limit a running container", "lade runtime update --memory 67108864 web"};

/// The built-in default as a bundle's beginning.
sandbox::RuntimeConfig beginning() {
  sandbox::RuntimeConfig config = sandbox::default_config();
  config.process.args = {"sh"};
  config.process.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                        "TERM=xterm"};
  config.process.no_new_privileges = true;
  config.process.terminal = true;
  config.root.path = "rootfs";
  config.root.readonly = true;
  return config;
}

void make_rootless(sandbox::RuntimeConfig& config) {
  config.namespaces[sandbox::Namespace::user];
  config.uid_mappings = {{.container_id = 0, .host_id = process_uid(), .size = 1}};
  config.gid_mappings = {{.container_id = 0, .host_id = ::getegid(), .size = 1}};
  for (sandbox::Mount& mount : config.mounts) {
    std::erase_if(mount.options, [](const std::string& option) { return option == "gid=5"; });
  }
}

int run_spec(const Arguments& arguments, const Environment& /*environment*/) {
  sandbox::RuntimeConfig config = beginning();
  if (arguments.flag("rootless")) make_rootless(config);
  const std::string text = cat(oci::pretty_json(runtime::serialise(config)), "\n");
  const auto bundle = arguments.value("bundle");
  if (!bundle) {
    print(text);
    return 0;
  }
  const std::string file = *bundle + "/config.json";
  if (std::filesystem::exists(file)) {
    throw Error(Errc::already_exists, cat(lade::quoted(file), " exists already"));
  }
  write_text_file(file, text);
  return 0;
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size() + 1), ' ');
  return text;
}

int run_list(const Arguments& arguments, const Environment& environment) {
  return with_runtime(arguments, environment, [&](Runtime& runtime) {
    const std::vector<Runtime::Listed> all = runtime.list();
    std::string out;
    if (arguments.flag("quiet")) {
      for (const auto& [record, status] : all) out += record.id + "\n";
    } else if (arguments.value_or("format", "table") == "json") {
      for (const auto& [record, status] : all) {
        out += cat(out.empty() ? "[" : ",", state_document(record, status));
      }
      out += out.empty() ? "[]\n" : "]\n";
    } else {
      out = "ID              PID       STATUS    BUNDLE\n";
      for (const auto& [record, status] : all) {
        const int pid = status == runtime::Status::stopped ? 0 : record.pid;
        out += cat(padded(record.id, 16), padded(cat(pid), 10),
                   padded(std::string(status_name(status)), 10), printable(record.bundle), "\n");
      }
    }
    print(out);
    return 0;
  });
}

/// A process's command as its arguments are, else its name.
std::string command_of(int pid) {
  try {
    std::string line = read_file(cat("/proc/", pid, "/cmdline"), 1U << 20U);
    if (!line.empty() && line.back() == '\0') line.pop_back();
    std::replace(line.begin(), line.end(), '\0', ' ');
    if (!line.empty()) return printable(line);
    return cat("[", printable(trimmed(read_file(cat("/proc/", pid, "/comm"), 64))), "]");
  } catch (const Error&) {
    return "-";  // ended meanwhile
  }
}

int run_ps(const Arguments& arguments, const Environment& environment) {
  return with_runtime(arguments, environment, [&](Runtime& runtime) {
    const std::vector<pid_t> all = runtime.processes(arguments.positional().front());
    std::string out;
    if (arguments.value_or("format", "table") == "json") {
      for (const pid_t pid : all) out += cat(out.empty() ? "[" : ",", pid);
      out += out.empty() ? "[]\n" : "]\n";
    } else {
      out = "PID       COMMAND\n";
      for (const pid_t pid : all) out += cat(padded(cat(pid), 10), command_of(pid), "\n");
    }
    print(out);
    return 0;
  });
}

int run_features(const Arguments& /*arguments*/, const Environment& /*environment*/) {
  print(cat(oci::pretty_json(runtime::features_document()), "\n"));
  return 0;
}

std::optional<std::int64_t> amount(const Arguments& arguments, std::string_view name) {
  const auto text = arguments.value(name);
  if (!text) return std::nullopt;
  if (*text == "-1") return -1;
  return static_cast<std::int64_t>(*arguments.number(name, 0, INT64_MAX));
}

std::optional<std::uint64_t> natural(const Arguments& arguments, std::string_view name) {
  return arguments.number(name, 0, UINT64_MAX);
}

sandbox::Resources resources_of(const Arguments& arguments) {
  if (const auto file = arguments.value("resources")) {
    return runtime::parse_resources(read_input(*file, runtime::kMaxConfigBytes));
  }
  sandbox::Resources resources;
  const sandbox::MemoryLimits memory{.limit = amount(arguments, "memory"),
                                     .reservation = amount(arguments, "memory-reservation"),
                                     .swap = amount(arguments, "memory-swap")};
  if (memory != sandbox::MemoryLimits{}) resources.memory = memory;
  const sandbox::CpuLimits cpu{.shares = natural(arguments, "cpu-shares"),
                               .quota = amount(arguments, "cpu-quota"),
                               .period = natural(arguments, "cpu-period"),
                               .cpus = arguments.value_or("cpuset-cpus", ""),
                               .mems = arguments.value_or("cpuset-mems", "")};
  if (cpu != sandbox::CpuLimits{}) resources.cpu = cpu;
  if (const auto pids = amount(arguments, "pids-limit")) resources.pids = {.limit = *pids};
  if (resources == sandbox::Resources{}) throw UsageError("no limit is given");
  return resources;
}

int run_update(const Arguments& arguments, const Environment& environment) {
  return with_runtime(arguments, environment, [&](Runtime& runtime) {
    runtime.update(arguments.positional().front(), resources_of(arguments));
    return 0;
  });
}

}  // namespace

const VerbSpec kRuntimeSpecVerb = {
    .name = "runtime spec",
    .synopsis = "",
    .summary = "print a bundle's config.json to begin with",
    .description =
        "Prints the configuration that build steps have, as the OCI runtime specification writes "
        "it.",
    .options = kSpecGroups,
    .examples = kSpecExamples,
    .run = run_spec,
    .group = "Runtime",
};

const VerbSpec kRuntimeListVerb = {
    .name = "runtime list",
    .synopsis = "",
    .summary = "list containers",
    .description = "Lists the containers of this state root.",
    .options = kListGroups,
    .examples = kListExamples,
    .run = run_list,
    .group = "Runtime",
};

const VerbSpec kRuntimePsVerb = {
    .name = "runtime ps",
    .synopsis = "ID",
    .summary = "list the processes of a container",
    .description = "Lists the processes in the container's control groups by their ids here.",
    .options = kPsGroups,
    .examples = kPsExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_ps,
    .group = "Runtime",
};

const VerbSpec kRuntimeFeaturesVerb = {
    .name = "runtime features",
    .synopsis = "",
    .summary = "print what the runtime can do",
    .description = "Prints the features document of the OCI runtime specification.",
    .examples = kFeaturesExamples,
    .run = run_features,
    .group = "Runtime",
};

const VerbSpec kRuntimeUpdateVerb = {
    .name = "runtime update",
    .synopsis = "ID",
    .summary = "change the limits of a container",
    .description = "Sets limits of a running container's control groups; -1 takes one away.",
    .options = kUpdateGroups,
    .examples = kUpdateExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_update,
    .group = "Runtime",
};

}  // namespace lade::tools
