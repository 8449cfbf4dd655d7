// CMD, ENTRYPOINT, SHELL, HEALTHCHECK: what a container runs.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/instructions.h"
#include "libimage/build/shell_command.h"
#include "libimage/build/stage.h"

namespace lade::build {

std::vector<std::string> ShellCommand::arguments(const oci::ExecutionConfig& config) const {
  if (exec_form) return words;
  std::vector<std::string> out = config.shell && !config.shell->empty()
                                     ? *config.shell
                                     : std::vector<std::string>{"/bin/sh", "-c"};
  out.push_back(text);
  return out;
}

ShellCommand parse_shell_command(const std::string& arguments) {
  if (auto words = json_strings(arguments)) return {.exec_form = true, .words = std::move(*words)};
  return {.text = arguments};
}

namespace {

class Cmd final : public Instruction {
 public:
  Cmd(LogicalLine line, ShellCommand command)
      : Instruction(std::move(line)), command_(std::move(command)) {}

  void execute(StageContext& stage) const override {
    std::vector<std::string> arguments = command_.arguments(stage.config());
    std::string created_by = cat("CMD ", quoted_list(arguments));
    stage.config().cmd = std::move(arguments);
    stage.state().cmd_set = true;
    stage.commit(std::move(created_by));
  }

 private:
  ShellCommand command_;
};

class Entrypoint final : public Instruction {
 public:
  Entrypoint(LogicalLine line, ShellCommand command)
      : Instruction(std::move(line)), command_(std::move(command)) {}

  void execute(StageContext& stage) const override {
    std::vector<std::string> arguments = command_.arguments(stage.config());
    std::string created_by = cat("ENTRYPOINT ", quoted_list(arguments));
    if (arguments.empty()) {
      stage.config().entrypoint.reset();
    } else {
      stage.config().entrypoint = std::move(arguments);
    }
    // The base image's CMD was made for its own ENTRYPOINT.
    if (!stage.state().cmd_set) stage.config().cmd.reset();
    stage.commit(std::move(created_by));
  }

 private:
  ShellCommand command_;
};

class Shell final : public Instruction {
 public:
  Shell(LogicalLine line, std::vector<std::string> words)
      : Instruction(std::move(line)), words_(std::move(words)) {}

  void execute(StageContext& stage) const override {
    stage.config().shell = words_;
    std::string created_by = "SHELL [";
    for (std::size_t i = 0; i < words_.size(); ++i) created_by += cat(i == 0 ? "" : " ", words_[i]);
    stage.commit(cat(created_by, "]"));
  }

 private:
  std::vector<std::string> words_;
};

class HealthcheckInstruction final : public Instruction {
 public:
  HealthcheckInstruction(LogicalLine line, oci::Healthcheck check)
      : Instruction(std::move(line)), check_(std::move(check)) {}

  void execute(StageContext& stage) const override {
    stage.config().healthcheck = check_;
    stage.commit(cat("HEALTHCHECK ", line().arguments));
  }

 private:
  oci::Healthcheck check_;
};

/// A duration as Go writes it ("1m30s", "1.5s", "300ms") in nanoseconds.
std::int64_t parse_duration(std::string_view flag, const std::string& text) {
  struct Unit {
    std::string_view name;
    double nanoseconds;
  };
  constexpr Unit kUnits[] = {{"ns", 1},  {"us", 1e3}, {"\xC2\xB5s", 1e3}, {"ms", 1e6},
                             {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  const auto fail = [&](std::string_view why) {
    throw Error(Errc::invalid_content, cat("HEALTHCHECK --", flag, " ", quoted(text), " ", why));
  };
  if (text == "0") return 0;
  double total = 0;
  std::string_view rest = text;
  if (rest.empty()) fail("is no duration");
  while (!rest.empty()) {
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789."), rest.size());
    double number = 0;
    const auto read = std::from_chars(rest.data(), rest.data() + digits, number);
    if (digits == 0 || read.ec != std::errc() || read.ptr != rest.data() + digits)
      fail("is no duration");
    rest.remove_prefix(digits);
    const std::size_t letters = std::min(rest.find_first_of("0123456789."), rest.size());
    const auto* unit = std::find_if(std::begin(kUnits), std::end(kUnits), [&](const Unit& u) {
      return u.name == rest.substr(0, letters);
    });
    if (unit == std::end(kUnits)) fail("is no duration such as 1m30s");
    total += number * unit->nanoseconds;
    rest.remove_prefix(letters);
  }
  if (total >= static_cast<double>(std::numeric_limits<std::int64_t>::max())) fail("is too long");
  if (total != 0 && total < 1e6) fail("is shorter than 1ms");
  return std::llround(total);
}

}  // namespace

std::unique_ptr<Instruction> parse_cmd(const ParseInput& input) {
  std::string arguments = input.line.arguments;
  const FlagSet none("CMD", take_flags(arguments, input.escape), {});
  return std::make_unique<Cmd>(input.line, parse_shell_command(arguments));
}

std::unique_ptr<Instruction> parse_entrypoint(const ParseInput& input) {
  std::string arguments = input.line.arguments;
  const FlagSet none("ENTRYPOINT", take_flags(arguments, input.escape), {});
  if (arguments.empty()) throw Error(Errc::invalid_content, "ENTRYPOINT needs a command or []");
  return std::make_unique<Entrypoint>(input.line, parse_shell_command(arguments));
}

std::unique_ptr<Instruction> parse_shell(const ParseInput& input) {
  auto words = json_strings(input.line.arguments);
  if (!words || words->empty())
    throw Error(Errc::invalid_content, "SHELL needs a JSON list such as [\"/bin/bash\", \"-c\"]");
  return std::make_unique<Shell>(input.line, std::move(*words));
}

std::unique_ptr<Instruction> parse_healthcheck(const ParseInput& input) {
  std::string arguments = input.line.arguments;
  const FlagSet flags(
      "HEALTHCHECK", take_flags(arguments, input.escape),
      {{"interval"}, {"timeout"}, {"start-period"}, {"start-interval"}, {"retries"}});
  const std::size_t end = std::min(arguments.find_first_of(" \t"), arguments.size());
  const std::string type = lower_case(arguments.substr(0, end));
  const std::string rest(trimmed(std::string_view(arguments).substr(end)));
  oci::Healthcheck check;
  const auto duration = [&](std::string_view flag) {
    return flags.given(flag) ? parse_duration(flag, flags.value(flag)) : 0;
  };
  check.interval = duration("interval");
  check.timeout = duration("timeout");
  check.start_period = duration("start-period");
  check.start_interval = duration("start-interval");
  if (flags.given("retries")) {
    const auto retries = parse_decimal(flags.value("retries"));
    if (!retries || *retries > 1'000'000)
      throw Error(Errc::invalid_content,
                  cat("HEALTHCHECK --retries ", quoted(flags.value("retries")), " is no count"));
    check.retries = static_cast<std::int64_t>(*retries);
  }
  if (type == "none") {
    if (!rest.empty()) throw Error(Errc::invalid_content, "HEALTHCHECK NONE takes no arguments");
    check.test = {"NONE"};
  } else if (type == "cmd") {
    const ShellCommand command = parse_shell_command(rest);
    if (command.exec_form ? command.words.empty() : command.text.empty())
      throw Error(Errc::invalid_content, "HEALTHCHECK CMD needs a command");
    check.test = {command.exec_form ? "CMD" : "CMD-SHELL"};
    if (command.exec_form) {
      check.test.insert(check.test.end(), command.words.begin(), command.words.end());
    } else {
      check.test.push_back(command.text);
    }
  } else {
    throw Error(Errc::invalid_content,
                cat("HEALTHCHECK is NONE or CMD, not ", quoted(arguments.substr(0, end))));
  }
  return std::make_unique<HealthcheckInstruction>(input.line, std::move(check));
}

}  // namespace lade::build
