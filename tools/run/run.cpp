// lade run IMAGE [COMMAND]: one command in a container of an image, in the foreground.
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <optional>
#include <thread>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/account.h"
#include "libimage/build/arguments.h"
#include "libimage/build/emulation.h"
#include "libimage/build/environment.h"
#include "libimage/build/network_files.h"
#include "libimage/build/stored_image.h"
#include "libimage/io/path.h"
#include "libimage/name/platform.h"
#include "libimage/runtime/container.h"
#include "libimage/sandbox/step_runner.h"

#include "tools/build/run_options.h"
#include "tools/common/base_images.h"
#include "tools/common/console_relay.h"
#include "tools/common/groups.h"
#include "tools/common/network_option.h"
#include "tools/common/process.h"
#include "tools/common/progress.h"
#include "tools/common/run_streams.h"
#include "tools/common/signals.h"
#include "tools/common/step_runner.h"
#include "tools/common/terminal.h"
#include "tools/run/run_mounts.h"
#include "tools/run/verbs.h"

namespace lade::tools {
namespace {

constexpr int kOwnFailure = 125;  // as docker and podman have it
constexpr std::uint64_t kMaxVariableFile = std::uint64_t{4} << 20U;

constexpr std::array<std::string_view, 3> kPulls = {"missing", "always", "never"};

constexpr std::array<OptionSpec, 19> kRunOptions = {{
    {.name = "env",
     .letter = 'e',
     .value = "NAME[=VALUE]",
     .help = "a variable of the command; without a value, that of the environment",
     .repeats = true},
    {.name = "env-file",
     .value = "FILE",
     .help = "variables, a line each; '#' begins a comment",
     .repeats = true},
    {.name = "workdir",
     .letter = 'w',
     .value = "DIR",
     .help = "working directory, instead of the image's"},
    {.name = "user",
     .letter = 'u',
     .value = "USER[:GROUP]",
     .help = "who runs the command, instead of the image's user"},
    {.name = "group-add",
     .value = "GROUP",
     .help = "a supplementary group, by the image's name or number",
     .repeats = true},
    {.name = "entrypoint",
     .value = "COMMAND",
     .help = "instead of the image's entrypoint: a program or a JSON list; '' for none"},
    {.name = "interactive", .letter = 'i', .help = "the command reads this standard input"},
    {.name = "tty", .letter = 't', .help = "give the command a terminal"},
    {.name = "rm", .help = "take the container away at the end, as always"},
    {.name = "read-only", .help = "nothing in the root file system can be changed"},
    {.name = "mount",
     .value = "type=bind|tmpfs,...",
     .help = "source, target, readonly; tmpfs-size, tmpfs-mode",
     .repeats = true},
    {.name = "tmpfs",
     .value = "TARGET[:OPTIONS]",
     .help = "a file system in memory; nosuid, nodev and noexec unless OPTIONS say otherwise",
     .repeats = true},
    {.name = "hostname", .value = "NAME", .help = "name of the container (default: lade)"},
    {.name = "network", .value = "MODE", .help = kNetworkHelp},
    {.name = "pids-limit", .value = "N", .help = "most processes and threads at once"},
    {.name = "platform",
     .value = "OS/ARCH[/VARIANT]",
     .help = "the platform of the image, if not this machine's"},
    {.name = "pull",
     .value = "WHEN",
     .help = "ask a registry for IMAGE: if the local store has none of that name, always, or never",
     .choices = kPulls},
    {.name = "stop-signal",
     .value = "SIGNAL",
     .help = "what the command gets for SIGTERM, instead of the image's stop signal"},
    {.name = "timeout", .value = "SECONDS", .help = "kill the command after this time"},
}};

/// Those of kRunStepOptions that are not about Containerfiles.
constexpr auto kContainerOptions = [] {
  std::array<OptionSpec, kRunStepOptions.size() - 1> kept{};
  std::size_t count = 0;
  for (OptionSpec option : kRunStepOptions) {
    if (option.name == "allow") continue;
    if (option.name == "volume") option.help = "a directory or file of this machine";
    kept.at(count++) = option;
  }
  return kept;
}();

constexpr std::array<std::span<const OptionSpec>, 5> kGroups = {
    kRunOptions, kContainerOptions, kRunnerOptions, kRegistryOptions, kProgressOptions};

constexpr std::array<std::string_view, 8> kExamples = {
    "Look around in an image",
    "lade run -it docker.io/library/debian:12 bash",
    "Run a test of what was built, with the sources at hand",
    "lade run -v $PWD:/src:ro -w /src --network none app make check",
    "Try an image that is nowhere but in a layout",
    "lade run oci:out:app app --version",
    "The same with another runtime, and a limit of memory",
    "lade run --runtime crun -m 256m app"};

/// NAME=VALUE, or NAME for the value that this process has; nothing if it has none.
void set_from_word(build::Environment& out, const Environment& environment, std::string_view word,
                   std::string_view where) {
  const std::size_t equals = word.find('=');
  const std::string name(word.substr(0, equals));
  if (name.empty()) throw UsageError(cat(where, " takes NAME=VALUE, not ", quoted(word)));
  if (equals != std::string_view::npos) {
    build::set_variable(out, name, word.substr(equals + 1));
  } else if (const auto set = environment.variables.find(name);
             set != environment.variables.end()) {
    build::set_variable(out, name, set->second);
  }
}

/// What the options say, read before anything else is done.
struct RunPlan {
  build::RunOptions options = {};
  sandbox::NetworkChoice network = {};
  std::vector<sandbox::Mount> mounts = {};
  build::Environment env = {};
  std::string hostname = {};
  bool interactive = false;
  bool terminal = false;
  std::optional<int> stop_signal = {};
  std::optional<std::chrono::milliseconds> timeout = {};
  oci::Platform platform = {};
};

int stop_signal(const std::string& word) {
  try {
    return runtime::signal_number(word);
  } catch (const Error& e) {
    throw UsageError(cat("option --stop-signal: ", e.what()));
  }
}

void read_environment(const Arguments& arguments, const Environment& environment, RunPlan& plan) {
  for (const std::string& file : arguments.values("env-file")) {
    const std::string text = read_file(file, kMaxVariableFile);
    for (const std::string_view line : split(text, '\n')) {
      const std::string_view word = line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
      if (trimmed(word).empty() || trimmed(word).starts_with('#')) continue;
      set_from_word(plan.env, environment, word, cat("a line of ", quoted(file)));
    }
  }
  for (const std::string& word : arguments.values("env"))
    set_from_word(plan.env, environment, word, "option --env");
}

/// No new privileges, unless the words say otherwise.
bool forbids_privileges(const Arguments& arguments) {
  const auto& words = arguments.values("security-opt");
  return std::none_of(words.begin(), words.end(), [](const std::string& word) {
    return word == "no-new-privileges=false" || word == "no-new-privileges:false";
  });
}

RunPlan read_plan(const Arguments& arguments, const Environment& environment) {
  RunPlan plan{.options = read_run_options(arguments)};
  plan.options.no_new_privileges = forbids_privileges(arguments);
  plan.network = read_network(arguments.value_or("network", "default"), environment);
  plan.mounts = read_mounts(arguments);
  read_environment(arguments, environment, plan);
  plan.hostname = arguments.value_or("hostname", "lade");
  if (plan.hostname.empty() || plan.hostname.size() > 64 ||
      plan.hostname.find_first_of(" \t\n/") != std::string::npos)
    throw UsageError(cat("option --hostname cannot be ", quoted(plan.hostname)));
  plan.interactive = arguments.flag("interactive");
  plan.terminal = arguments.flag("tty");
  if (plan.interactive && plan.terminal && !has_terminal_input())
    throw UsageError("options --interactive and --tty: standard input is no terminal");
  if (const auto word = arguments.value("stop-signal")) plan.stop_signal = stop_signal(*word);
  if (const auto seconds = arguments.number("timeout", 1, 1'000'000'000))
    plan.timeout = std::chrono::seconds(*seconds);
  const auto platform = arguments.value("platform");
  plan.platform = platform ? parse_platform(*platform) : host_platform();
  return plan;
}

/// A registry's name without the transport, for the local store.
std::string_view without_registry_transport(std::string_view name) {
  constexpr std::string_view docker = "docker://";
  return name.starts_with(docker) ? name.substr(docker.size()) : name;
}

build::ResolvedBase find_image(const std::string& name, const std::string& pull, BaseImages& bases,
                               Stores& stores) {
  const std::string_view bare = without_registry_transport(name);
  if (pull == "always") return bases.resolve_remote(name);
  if (pull == "missing" || has_transport(std::string(bare))) return bases.resolve(name);
  LocalStore& store = stores.local();
  const auto found = find_local(store, std::string(bare));
  if (!found)
    throw Error(Errc::not_found,
                cat("the local store has no image ", quoted(bare), ", and --pull is never"));
  return {.reader = std::shared_ptr<Reader>(&store.images(), [](Reader*) {}), .root = *found};
}

std::vector<std::string> entrypoint_of(const std::string& word) {
  if (word.starts_with('[')) {
    auto list = build::json_strings(word);
    if (!list) throw UsageError(cat("option --entrypoint: ", quoted(word), " is no JSON list"));
    return *std::move(list);
  }
  return word.empty() ? std::vector<std::string>{} : std::vector<std::string>{word};
}

std::vector<std::string> command_of(const Arguments& arguments,
                                    const oci::ExecutionConfig& config) {
  const auto& words = arguments.positional();
  const auto given = arguments.value("entrypoint");
  std::vector<std::string> out =
      given ? entrypoint_of(*given) : config.entrypoint.value_or(std::vector<std::string>{});
  // The image's own arguments are for its own entrypoint.
  const bool own = words.size() == 1 && !given && config.cmd;
  if (own) out.insert(out.end(), config.cmd->begin(), config.cmd->end());
  out.insert(out.end(), words.begin() + 1, words.end());
  if (out.empty() || out.front().empty())
    throw Error(Errc::invalid_argument, "the image has no command: give one");
  return out;
}

void set_user(const Arguments& arguments, build::StoredImage& image, sandbox::Process& process) {
  const build::Account account =
      build::resolve_account(image.root, arguments.value_or("user", image.config.user));
  process.user = {
      .uid = account.uid, .gid = account.gid, .additional_gids = account.additional_gids};
  for (const std::string& group : arguments.values("group-add"))
    process.user.additional_gids.push_back(
        build::resolve_account(image.root, cat("0:", group)).gid);
  if (!build::get_variable(process.env, "HOME"))
    build::set_variable(process.env, "HOME", account.home);
}

void set_environment(const RunPlan& plan, const oci::ExecutionConfig& config,
                     sandbox::Process& process) {
  build::set_variable(process.env, "PATH", build::kDefaultPath);
  build::set_variable(process.env, "HOSTNAME", plan.hostname);
  if (plan.terminal) build::set_variable(process.env, "TERM", "xterm");
  for (const build::Environment* list : {&config.env, &plan.env}) {
    for (const std::string& entry : *list) {
      const std::size_t equals = entry.find('=');
      if (equals != std::string::npos && equals > 0)
        build::set_variable(process.env, entry.substr(0, equals), entry.substr(equals + 1));
    }
  }
}

std::string working_directory(const Arguments& arguments, const oci::ExecutionConfig& config) {
  const auto given = arguments.value("workdir");
  if (given && !given->starts_with('/'))
    throw UsageError(cat("option --workdir takes an absolute path, not ", quoted(*given)));
  const std::string path = given ? *given : config.working_dir;
  return path.starts_with('/') ? path : cat("/", path);
}

/// Files that every container has and no image.
void add_own_files(const RunPlan& plan, sandbox::Network& network, sandbox::RuntimeConfig& step) {
  const build::NetworkMode kind = plan.network.kind;
  const build::RunOptions words = build::network_words(plan.options, kind, &network);
  const auto add = [&](std::string path, std::string content) {
    step.mounts.push_back({.destination = std::move(path),
                           .type = "content",
                           .source = {},
                           .options = {"mode=644"},
                           .overlay = {},
                           .content = std::move(content)});
  };
  add("/etc/hosts", build::hosts_text(words, kind, "/etc/hosts", plan.hostname));
  if (words.dns != std::vector<std::string>{"none"})
    add("/etc/resolv.conf", build::resolv_conf_text(words, kind, "/etc/resolv.conf"));
  add("/etc/hostname", cat(plan.hostname, "\n"));
  add("/run/.containerenv", "");
}

/// The container, and the trees of its volumes.
struct Container {
  sandbox::RuntimeConfig step;
  std::vector<ShownTree> volumes = {};
};

Container make_container(const Arguments& arguments, const RunPlan& plan, LocalStore& store,
                         sandbox::Network& network, build::StoredImage& image) {
  Container container{.step = sandbox::default_config()};
  sandbox::RuntimeConfig& step = container.step;
  step.process.args = command_of(arguments, image.config);
  set_environment(plan, image.config, step.process);
  set_user(arguments, image, step.process);
  step.process.cwd = working_directory(arguments, image.config);
  step.process.terminal = plan.terminal;
  step.hostname = plan.hostname;
  step.root.readonly = arguments.flag("read-only");
  network.give_to(step);
  add_own_files(plan, network, step);
  const std::size_t first = step.mounts.size();
  build::apply_run_options(plan.options, build::Security::sandbox, step);
  add_mounts(step, first, plan.mounts);
  container.volumes = add_image_volumes(store, image, step, first);
  if (const auto limit = arguments.number("pids-limit", 1, 4'194'304)) {
    if (!step.resources) step.resources.emplace();
    step.resources->pids = sandbox::PidsLimit{static_cast<std::int64_t>(*limit)};
  }
  return container;
}

/// Runs the container on the streams of this process, or on a terminal behind them.
sandbox::StepStatus run_container(const RunPlan& plan, const SignalPipe& signals, RootFs& root,
                                  sandbox::RuntimeConfig step, sandbox::StepRunner& runner) {
  FdSink output(STDOUT_FILENO, "standard output");
  sandbox::StepCall call{.output = output, .signals = signals.read_end(), .timeout = plan.timeout};
  if (plan.terminal) {
    sandbox::StepStatus status;
    with_relayed_console(STDOUT_FILENO, plan.interactive ? Keys::passed_on : Keys::kept,
                         [&](int console_socket) {
                           call.console_socket = console_socket;
                           status = root.try_out(std::move(step), runner, call, {});
                         });
    return status;
  }
  RunStreams streams(plan.interactive ? RunStreams::Input::passed_on : RunStreams::Input::none);
  call.input = streams.input();
  call.output_fd = streams.output();
  call.errors_fd = streams.errors();
  return root.try_out(std::move(step), runner, call, {});
}

int run_signal(const RunPlan& plan, const oci::ExecutionConfig& config) {
  if (plan.stop_signal) return *plan.stop_signal;
  if (config.stop_signal.empty()) return SIGTERM;
  try {
    return runtime::signal_number(config.stop_signal);
  } catch (const Error&) {
    print_error(cat("lade: warning: the image's stop signal ", quoted(config.stop_signal),
                    " is unknown: SIGTERM is passed on\n"));
    return SIGTERM;
  }
}

/// The image in the store, its layers unpacked.
build::StoredImage fetch(const Arguments& arguments, const Environment& environment,
                         const RunPlan& plan, Stores& stores) {
  const StopOnSignal stop;
  const auto progress = make_progress(arguments, environment);
  const auto session =
      make_session(arguments, environment, Side::only, stop.token(), progress.get());
  BaseImages bases(*session, stores, environment);
  const std::string& name = arguments.positional().front();
  build::StoredImage image = build::store_image(
      stores.local(), find_image(name, arguments.value_or("pull", "missing"), bases, stores), name,
      plan.platform, *progress, stop.token());
  if (arguments.value("platform") && !platform_fits(image.platform, plan.platform))
    throw Error(Errc::not_found,
                cat("image ", quoted(name), " is for ", oci::to_string(image.platform),
                    ", not for ", oci::to_string(plan.platform)));
  build::require_emulation(image.platform, host_platform(), "/proc/sys/fs/binfmt_misc");
  (void)image.root.trees();
  return image;
}

int run_run(const Arguments& arguments, const Environment& environment) {
  const RunPlan plan = read_plan(arguments, environment);
  const auto runner = make_step_runner(arguments, environment);
  allow_many_files();
  Stores stores(environment);
  build::StoredImage image = fetch(arguments, environment, plan, stores);
  sandbox::Network network(plan.network);
  Container container = make_container(arguments, plan, stores.local(), network, image);
  const SignalPipe signals(run_signal(plan, image.config));
  try {
    const sandbox::StepStatus status =
        run_container(plan, signals, image.root, std::move(container.step), *runner);
    for (const std::string& warning : status.warnings)
      print_error(cat("lade: warning: ", warning, "\n"));
    return status.exit_status;
  } catch (const Error& e) {
    if (e.code() != Errc::unavailable || !plan.timeout) throw;
    print_error(cat("lade: ", e.what(), "\n"));
    return 128 + SIGKILL;
  }
}

}  // namespace

const VerbSpec kRunVerb = {
    .name = "run",
    .synopsis = "IMAGE [COMMAND [ARGUMENT...]]",
    .summary = "run a command in an image",
    .description =
        "Runs COMMAND, or the image's own, in a container of IMAGE: in the foreground, once, in "
        "the "
        "sandbox that RUN of a build has. What it changes in the root file system is thrown away. "
        "Options come before IMAGE.\n\n"
        "IMAGE is an image of the local store, a registry's, or any transport's name such as "
        "oci:DIR:TAG. What is missing of it is copied into the local store, without a name.\n\n"
        "The image's environment, user, working directory, entrypoint, command, volumes and stop "
        "signal count. The command gets the default capabilities of containers and their filter of "
        "system calls, and no new privileges unless --security-opt no-new-privileges=false.\n\n"
        "Signals are passed on. The exit status is the command's, 128 + n where signal n ended it, "
        "127 where there is no such command, 126 where it cannot be executed, and 125 where the "
        "container could not be made.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 1,
    .max_positional = 65536,
    .run = run_run,
    .command_after = 1,
    .failure_status = kOwnFailure,
    .in_user_namespace = true,
    .group = "Run",
};

}  // namespace lade::tools
