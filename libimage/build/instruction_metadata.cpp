// EXPOSE, MAINTAINER, ONBUILD, STOPSIGNAL, USER, VOLUME: single values of the config.
#include <algorithm>
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/instructions.h"
#include "libimage/build/stage.h"

namespace lade::build {
namespace {

/// Whether what the base has of it stays (--lade-reset: it does not).
enum class Inherited { kept, dropped };

std::string listed(const std::vector<std::string>& words) {
  std::string out = "[";
  for (std::size_t i = 0; i < words.size(); ++i) out += cat(i == 0 ? "" : " ", words[i]);
  return out + "]";
}

/// "80", "80/udp", "8000-8010", "127.0.0.1:80:80/tcp": the container's ports, "PORT/PROTOCOL".
void add_ports(const std::string& text, std::vector<std::string>& out) {
  const auto fail = [&](std::string_view why) {
    throw Error(Errc::invalid_content, cat("EXPOSE ", quoted(text), ": ", why));
  };
  const std::size_t slash = text.find('/');
  const std::string protocol =
      slash == std::string::npos ? "tcp" : lower_case(text.substr(slash + 1));
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp")
    fail("the protocol is tcp, udp or sctp");
  std::string ports = text.substr(0, slash);
  ports.erase(0, ports.rfind(':') == std::string::npos ? 0 : ports.rfind(':') + 1);
  const std::size_t dash = ports.find('-');
  const auto first = parse_decimal(ports.substr(0, dash));
  const auto last = dash == std::string::npos ? first : parse_decimal(ports.substr(dash + 1));
  if (!first || !last || *first == 0 || *last > 65535 || *first > *last)
    fail("a port is a number from 1 to 65535, or a range of them");
  for (std::uint64_t port = *first; port <= *last; ++port) out.push_back(cat(port, "/", protocol));
}

class Expose final : public Instruction {
 public:
  Expose(LogicalLine line, std::string ports, Inherited inherited)
      : Instruction(std::move(line)), ports_(std::move(ports)), inherited_(inherited) {}
  [[nodiscard]] bool is_extended() const override { return inherited_ == Inherited::dropped; }
  void execute(StageContext& stage) const override {
    std::vector<std::string> ports;
    for (const std::string& word : stage.expander().words(ports_)) add_ports(word, ports);
    std::sort(ports.begin(), ports.end());
    if (inherited_ == Inherited::dropped) stage.config().exposed_ports.clear();
    stage.config().exposed_ports.insert(ports.begin(), ports.end());
    stage.commit(cat("EXPOSE ", listed(ports)));
  }

 private:
  std::string ports_;  // not expanded
  Inherited inherited_;
};

class Maintainer final : public Instruction {
 public:
  using Instruction::Instruction;
  void execute(StageContext& stage) const override {
    stage.state().image.author = line().arguments;
    stage.commit(cat("MAINTAINER ", line().arguments));
  }
};

class OnBuild final : public Instruction {
 public:
  using Instruction::Instruction;
  void execute(StageContext& stage) const override {
    std::string trigger = line().arguments;
    for (const Heredoc& heredoc : line().heredocs)
      trigger += cat("\n", heredoc.content, heredoc.name);
    auto& triggers = stage.config().on_build;
    if (!triggers) triggers.emplace();
    triggers->push_back(std::move(trigger));
    stage.commit(cat("ONBUILD ", line().arguments));
  }
  /// What its trigger will, in a stage FROM this one.
  [[nodiscard]] std::vector<std::string> declares() const override {
    std::vector<std::string> words = plain_words(line().arguments);
    if (words.empty() || lower_case(words.front()) != "arg") return {};
    words.erase(words.begin());
    for (std::string& word : words) word.resize(std::min(word.size(), word.find('=')));
    return words;
  }
};

class StopSignal final : public Instruction {
 public:
  using Instruction::Instruction;
  void execute(StageContext& stage) const override {
    const std::string signal = stage.expander().word(line().arguments);
    check(signal);
    stage.config().stop_signal = signal;
    stage.commit(cat("STOPSIGNAL ", signal));
  }

 private:
  static void check(const std::string& signal) {
    constexpr std::array<std::string_view, 34> kNames = {
        "ABRT", "ALRM",   "BUS",  "CHLD",   "CLD",   "CONT", "FPE",  "HUP",  "ILL",
        "INT",  "IO",     "IOT",  "KILL",   "PIPE",  "POLL", "PROF", "PWR",  "QUIT",
        "SEGV", "STKFLT", "STOP", "SYS",    "TERM",  "TRAP", "TSTP", "TTIN", "TTOU",
        "URG",  "USR1",   "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ"};
    if (const auto number = parse_decimal(signal)) {
      if (*number >= 1 && *number <= 64) return;
    } else {
      std::string_view name = signal;
      if (name.starts_with("SIG")) name.remove_prefix(3);
      const bool real_time = name == "RTMIN" || name == "RTMAX" || name.starts_with("RTMIN+") ||
                             name.starts_with("RTMAX-");
      if (real_time || std::find(kNames.begin(), kNames.end(), name) != kNames.end()) return;
    }
    throw Error(Errc::invalid_content, cat("STOPSIGNAL ", quoted(signal), " is no signal"));
  }
};

class User final : public Instruction {
 public:
  using Instruction::Instruction;
  void execute(StageContext& stage) const override {
    const std::string user = stage.expander().word(line().arguments);
    if (user.empty()) throw Error(Errc::invalid_content, "USER is empty after expansion");
    stage.config().user = user;
    stage.commit(cat("USER ", user));
  }
};

class Volume final : public Instruction {
 public:
  Volume(LogicalLine line, std::vector<std::string> paths, Inherited inherited)
      : Instruction(std::move(line)), paths_(std::move(paths)), inherited_(inherited) {}
  [[nodiscard]] bool is_extended() const override { return inherited_ == Inherited::dropped; }
  void execute(StageContext& stage) const override {
    std::vector<std::string> paths;
    for (const std::string& path : paths_) {
      paths.push_back(stage.expander().word(path));
      if (trimmed(paths.back()).empty())
        throw Error(Errc::invalid_content, "VOLUME has an empty path");
    }
    if (inherited_ == Inherited::dropped) stage.config().volumes.clear();
    stage.config().volumes.insert(paths.begin(), paths.end());
    stage.commit(cat("VOLUME ", listed(paths)));
  }

 private:
  std::vector<std::string> paths_;
  Inherited inherited_;
};

/// The one flag of EXPOSE and VOLUME, taken off `arguments`.
Inherited take_reset(std::string_view keyword, std::string& arguments, char escape) {
  const FlagSet flags(keyword, take_flags(arguments, escape),
                      {{"lade-reset", FlagRule::Kind::boolean}});
  return flags.boolean("lade-reset", false) ? Inherited::dropped : Inherited::kept;
}

void require_arguments(const ParseInput& input) {
  if (input.line.arguments.empty())
    throw Error(Errc::invalid_content, cat(input.line.keyword, " needs an argument"));
}

}  // namespace

std::unique_ptr<Instruction> parse_expose(const ParseInput& input) {
  std::string ports = input.line.arguments;
  const Inherited inherited = take_reset("EXPOSE", ports, input.escape);
  if (ports.empty() && inherited == Inherited::kept)
    throw Error(Errc::invalid_content, "EXPOSE needs an argument");
  return std::make_unique<Expose>(input.line, std::move(ports), inherited);
}

std::unique_ptr<Instruction> parse_maintainer(const ParseInput& input) {
  require_arguments(input);
  return std::make_unique<Maintainer>(input.line);
}

std::unique_ptr<Instruction> parse_onbuild(const ParseInput& input) {
  require_arguments(input);
  LogicalLine trigger = lex_trigger(input.line.arguments, input.line.lines);
  trigger.heredocs = input.line.heredocs;
  const auto& types = instruction_types();
  const auto type = std::find_if(types.begin(), types.end(), [&](const InstructionType& t) {
    return t.keyword == trigger.keyword;
  });
  if (trigger.keyword == "FROM" || (type != types.end() && !type->in_trigger))
    throw Error(Errc::invalid_content, cat("ONBUILD cannot hold ", trigger.keyword));
  parse_instruction(
      {trigger, input.escape});  // a mistake in it is told here, not in the next image
  return std::make_unique<OnBuild>(input.line);
}

std::unique_ptr<Instruction> parse_stopsignal(const ParseInput& input) {
  require_arguments(input);
  return std::make_unique<StopSignal>(input.line);
}

std::unique_ptr<Instruction> parse_user(const ParseInput& input) {
  require_arguments(input);
  return std::make_unique<User>(input.line);
}

std::unique_ptr<Instruction> parse_volume(const ParseInput& input) {
  std::string arguments = input.line.arguments;
  const Inherited inherited = take_reset("VOLUME", arguments, input.escape);
  auto paths = json_strings(arguments);
  if (!paths) paths = plain_words(arguments);
  if (paths->empty() && inherited == Inherited::kept)
    throw Error(Errc::invalid_content, "VOLUME needs a path");
  return std::make_unique<Volume>(input.line, std::move(*paths), inherited);
}

}  // namespace lade::build
