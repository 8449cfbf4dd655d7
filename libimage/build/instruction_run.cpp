// RUN: a command in the stage's root file system.
#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/account.h"
#include "libimage/build/arguments.h"
#include "libimage/build/emulation.h"
#include "libimage/build/instructions.h"
#include "libimage/build/run_device.h"
#include "libimage/build/shell_command.h"
#include "libimage/build/stage.h"
#include "libimage/build/step_key.h"
#include "libimage/build/step_mounts.h"
#include "libimage/name/platform.h"

namespace lade::build {
namespace {

class OutputSink final : public Sink {
 public:
  explicit OutputSink(StageContext& stage) : stage_(stage) {}
  void write(ByteView data) override { stage_.output(chars_of(data)); }

 private:
  StageContext& stage_;
};

class Run final : public Instruction {
 public:
  struct Flags {
    std::optional<NetworkMode> network = {};
    Security security = Security::sandbox;
    bool uncached = false;
    std::vector<std::string> mounts = {};  // as written
    std::vector<RunDevice> devices = {};
  };
  Run(LogicalLine line, ShellCommand command, std::string script, Flags flags)
      : Instruction(std::move(line)),
        command_(std::move(command)),
        script_(std::move(script)),
        network_(flags.network),
        security_(flags.security),
        uncached_(flags.uncached),
        mounts_(std::move(flags.mounts)),
        devices_(std::move(flags.devices)) {
    for (const std::string& mount : mounts_) {
      std::string from = from_of_run_mount(mount);
      if (!from.empty()) from_.push_back(std::move(from));
    }
  }

  [[nodiscard]] std::vector<std::string> from() const override { return from_; }
  [[nodiscard]] bool is_extended() const override { return uncached_; }

  void execute(StageContext& stage) const override {
    const std::vector<std::string> arguments = command_.arguments(stage.config());
    const std::string created_by = cat("RUN ", history_text(stage.state(), arguments));
    const Environment environment = environment_of(stage.state());
    if (security_ == Security::insecure && !stage.run().options().run.allow_insecure)
      throw Error(Errc::denied,
                  "--security=insecure is not allowed: allow it with --allow security.insecure");
    const NetworkMode network = network_of(stage.run());
    if (network != NetworkMode::none) stage.run().note_network();
    StepKey key("RUN");
    key.add(stage.chain()).add(stage.run().layer_key()).add_all(arguments).add(script_);
    key.add_all(environment).add(stage.config().working_dir).add(stage.config().user);
    key.add(sandbox::name_of(network));
    key.add(oci::to_string(stage.platform()));  // an emulated program sees its platform
    key.add(security_ == Security::insecure ? "insecure" : "sandbox");
    const std::vector<StepInput> options = inputs_of_run_options(stage.run().options().run);
    key.add(cat(options.size()));
    for (const StepInput& input : options) key.add(input.name).add(input.value);
    for (const RunDevice& device : devices_)
      key.add(cat("device ", device.name, device.required ? " required" : ""));
    std::vector<RunMount> mounts;
    for (const std::string& mount : mounts_)
      mounts.push_back(parse_run_mount(mount, stage.expander()));
    add_mounts(key, stage, mounts);
    const std::string definition = key.str();
    const std::string step = stage.begin_run(definition);
    stage.describe([&] { return inputs(stage, arguments, environment, network, mounts); });
    if (uncached_) {
      stage.claim(step);
    } else if (stage.commit_cached(created_by, step)) {
      stage.run().count_step(true);
      stage.end_run(definition);
      return;
    }
    stage.run().count_step(false);
    stage.commit_layer(created_by, step, run(stage, arguments, environment, network, mounts));
    stage.end_run(definition);
  }

 private:
  /// The step's network. A Containerfile cannot leave the one that its build was given.
  [[nodiscard]] NetworkMode network_of(BuildRun& run) const {
    const NetworkMode of_build = run.options().network.kind;
    const NetworkMode asked = network_.value_or(of_build);
    if (asked == NetworkMode::host && of_build != NetworkMode::host &&
        !run.options().run.allow_host_network)
      throw Error(Errc::denied,
                  cat("--network=host is not allowed in a build with --network ",
                      sandbox::name_of(of_build), ": allow it with --allow network.host"));
    return asked;
  }

  /// What the key covers, by name.
  std::vector<StepInput> inputs(StageContext& stage, const std::vector<std::string>& arguments,
                                const Environment& environment, NetworkMode network,
                                const std::vector<RunMount>& mounts) const {
    StepKey key("inputs");
    stage.note_common(key.keep_inputs());
    key.note("command", quoted_list(arguments));
    if (!script_.empty()) key.note("script", script_);
    for (const std::string& entry : environment) {
      const std::size_t equals = std::min(entry.find('='), entry.size());
      key.note(cat("environment ", entry.substr(0, equals)),
               entry.substr(std::min(equals + 1, entry.size())));
    }
    key.note("working directory", stage.config().working_dir).note("user", stage.config().user);
    key.note("network", sandbox::name_of(network));
    key.note("platform", oci::to_string(stage.platform()));
    key.note("security", security_ == Security::insecure ? "insecure" : "sandbox");
    for (const StepInput& input : inputs_of_run_options(stage.run().options().run))
      key.note(cat("option ", input.name), input.value);
    for (const RunDevice& device : devices_) key.note(cat("device ", device.name), "given");
    for (const std::string& mount : mounts_) key.note(cat("mount ", mount), "given");
    add_mounts(key, stage, mounts);
    return key.take_inputs();
  }

  /// BuildKit's spelling: "|2 A=1 B=2 /bin/sh -c make".
  static std::string history_text(const StageState& state,
                                  const std::vector<std::string>& arguments) {
    std::string out;
    if (!state.args.empty()) out = cat("|", state.args.size());
    for (const DeclaredArg& arg : state.args) {
      const auto value = get_variable(state.environment, arg.name);
      out += cat(" ", arg.name, "=", value ? *value : arg.value.value_or(""));
    }
    for (const std::string& argument : arguments) out += cat(out.empty() ? "" : " ", argument);
    return out;
  }

  static Environment environment_of(const StageState& state) {
    Environment out = state.environment;
    if (!get_variable(out, "PATH")) set_variable(out, "PATH", kDefaultPath);
    return out;
  }

  std::optional<LayerResult> run(StageContext& stage, const std::vector<std::string>& arguments,
                                 const Environment& environment, NetworkMode network,
                                 const std::vector<RunMount>& mounts) const {
    if (arguments.empty()) throw Error(Errc::invalid_content, "RUN has no command");
    require_emulation(stage.platform(), host_platform(), stage.run().options().binfmt_dir);
    const oci::ExecutionConfig& config = stage.config();
    const Account account = resolve_account(stage.root(), config.user);
    sandbox::RuntimeConfig step = sandbox::default_config();
    step.process.args = arguments;
    step.process.env = environment;
    if (!get_variable(step.process.env, "HOME"))
      set_variable(step.process.env, "HOME", account.home);
    for (const auto& [name, value] : stage.run().options().build_args) {
      if (is_proxy_variable(name) && !get_variable(step.process.env, name))
        set_variable(step.process.env, name, value);
    }
    step.process.cwd = config.working_dir.empty() ? "/" : config.working_dir;
    step.process.user = {
        .uid = account.uid, .gid = account.gid, .additional_gids = account.additional_gids};
    if (network == NetworkMode::host) step.namespaces.erase(sandbox::Namespace::network);
    if (network == stage.run().network().choice().kind) stage.run().network().give_to(step);
    add_own_mounts(stage, step, network);
    apply_run_options(stage.run().options().run, security_, step);
    for (const sandbox::StepEdits& device : find_devices(devices_, stage.run().options().run))
      sandbox::apply_edits(device, step);
    const StepMounts made(stage, mounts);
    made.add_to(step);
    OutputSink output(stage);
    return stage.root().run(std::move(step), stage.run().services().runner, output,
                            stage.run().layer_options(), stage.stop());
  }

  void add_own_mounts(StageContext& stage, sandbox::RuntimeConfig& step,
                      NetworkMode network) const {
    const auto bind = [&](std::string destination, std::string source) {
      step.mounts.push_back({.destination = std::move(destination),
                             .type = "bind",
                             .source = std::move(source),
                             .options = {"bind", "ro", "nosuid", "nodev"}});
    };
    const BuildRun::NetworkFiles files = stage.run().network_files(network);
    bind("/etc/hosts", files.hosts);
    if (!files.resolv_conf.empty()) bind("/etc/resolv.conf", files.resolv_conf);
    if (!script_.empty()) bind(step.process.args.front(), stage.run().script(script_));
  }

  ShellCommand command_;
  std::string script_;  // a heredoc that names its own interpreter; "" if there is none
  std::optional<NetworkMode> network_;
  Security security_;
  bool uncached_;
  std::vector<std::string> mounts_;  // as written
  std::vector<RunDevice> devices_;
  std::vector<std::string> from_;
};

std::optional<NetworkMode> given_network(const FlagSet& flags) {
  const std::string value = flags.value("network");
  if (value.empty() || value == "default") return std::nullopt;
  if (value == "none") return NetworkMode::none;
  if (value == "host") return NetworkMode::host;
  throw Error(Errc::invalid_content,
              cat("RUN --network is default, none or host, not ", quoted(value)));
}

Security security_of(const FlagSet& flags) {
  const std::string value = flags.value("security");
  if (value == "insecure") return Security::insecure;
  if (value.empty() || value == "sandbox") return Security::sandbox;
  throw Error(Errc::invalid_content,
              cat("RUN --security is sandbox or insecure, not ", quoted(value)));
}

std::vector<RunDevice> devices_of(const FlagSet& flags) {
  std::vector<RunDevice> out;
  for (const std::string& device : flags.values("device")) out.push_back(parse_run_device(device));
  return out;
}

}  // namespace

std::unique_ptr<Instruction> parse_run(const ParseInput& input) {
  std::string arguments = input.line.arguments;
  std::vector<Flag> given = take_flags(arguments, input.escape);
  const FlagSet flags("RUN", std::move(given),
                      {{"network"},
                       {"mount", FlagRule::Kind::list},
                       {"security"},
                       {"device", FlagRule::Kind::list},
                       {"lade-no-cache", FlagRule::Kind::boolean}});
  if (arguments.empty()) throw Error(Errc::invalid_content, "RUN needs a command");
  ShellCommand command = parse_shell_command(arguments);
  std::string script;
  if (!command.exec_form && !input.line.heredocs.empty()) {
    const Heredoc& first = input.line.heredocs.front();
    const bool alone = input.line.heredocs.size() == 1 && heredoc_of_word(arguments).has_value();
    const std::string body = first.body();
    if (alone && body.starts_with("#!")) {
      script = body;
      command = {.exec_form = true, .words = {cat("/dev/pipes/", first.file_name())}};
    } else if (alone) {
      command.text = body;
    } else {  // the shell reads its own heredocs
      for (const Heredoc& heredoc : input.line.heredocs)
        command.text += cat("\n", heredoc.content, heredoc.name);
    }
  }
  if (command.exec_form && command.words.empty())
    throw Error(Errc::invalid_content, "RUN needs a command");
  return std::make_unique<Run>(input.line, std::move(command), std::move(script),
                               Run::Flags{.network = given_network(flags),
                                          .security = security_of(flags),
                                          .uncached = flags.boolean("lade-no-cache", false),
                                          .mounts = flags.values("mount"),
                                          .devices = devices_of(flags)});
}

}  // namespace lade::build
