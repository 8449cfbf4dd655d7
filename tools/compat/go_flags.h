/// Command lines as programs written with cobra read them: flags anywhere, --name=value and --name
/// value, -abc, --bool=false, --; with their messages and their list of flags in --help.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lade::tools::compat {

/// One flag. All views are literals.
struct FlagSpec {
  enum class Kind { boolean, optional_boolean, text, texts, integer, integers, duration };
  std::string_view name = {};
  char letter = 0;  ///< 0: none
  Kind kind = Kind::text;
  std::string_view value = {};  ///< what its value is called in --help; "": its type
  std::string_view help = {};
  bool hidden = false;
  std::string_view refusal = {};  ///< why it cannot be given; "": it can
};

using FlagGroup = std::span<const FlagSpec>;
using FlagGroups = std::vector<FlagGroup>;

/// Why a command fails: one line on standard error.
class Fatal final : public std::exception {
 public:
  enum class Help { none, shown };
  explicit Fatal(std::string message, int status = 1, Help help = Help::none)
      : message_(std::move(message)), status_(status), help_(help) {}
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }
  [[nodiscard]] int status() const noexcept { return status_; }
  [[nodiscard]] Help help() const noexcept { return help_; }

 private:
  std::string message_;
  int status_;
  Help help_;
};

/// The flags that were given, checked.
class Flags {
 public:
  [[nodiscard]] bool given(std::string_view name) const { return values_.contains(name); }
  /// "" if not given; the last one counts.
  [[nodiscard]] std::string text(std::string_view name) const;
  /// Of every time, lists split at commas.
  [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;
  [[nodiscard]] bool boolean(std::string_view name) const;
  [[nodiscard]] std::optional<bool> optional_boolean(std::string_view name) const;
  [[nodiscard]] std::int64_t integer(std::string_view name) const;
  [[nodiscard]] std::chrono::nanoseconds duration(std::string_view name) const;
  [[nodiscard]] const std::vector<std::string>& arguments() const noexcept { return arguments_; }

 private:
  friend class FlagParser;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> arguments_;
};

/// Adds what `words` say to `flags`. With Stop::at_command the first word that is no flag ends the
/// reading; the words from there on are returned. -h and --help are flags of every command. Throws
/// Fatal.
enum class Stop { at_command, at_end };
std::vector<std::string> parse_flags(const FlagGroups& groups,
                                     const std::vector<std::string>& words, Stop stop,
                                     Flags& flags);

/// True for a flag whose value is not the next word.
bool takes_no_value(const FlagSpec& flag);

/// The flags that are not hidden, by name, --help among them, whose text ends with the name of the
/// command.
std::vector<FlagSpec> shown_flags(const FlagGroups& groups);
inline constexpr std::string_view kHelpFlagText = "help for ";

/// The list of flags in --help, sorted, the columns aligned.
std::string flag_usages(const FlagGroups& groups, std::string_view command);

/// time.ParseDuration: "1h2m3.5s", "300ms". Throws Fatal with Go's message.
std::chrono::nanoseconds parse_duration(std::string_view text);

}  // namespace lade::tools::compat
