/// The option tables: what every verb takes is declared once, here and in the verbs' files; the
/// parser, --help, the man pages and the completions of three shells all read these tables.
#pragma once
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lade::tools {

/// One option. All views are literals.
struct OptionSpec {
  std::string_view name = {};   ///< long name without dashes
  char letter = 0;              ///< short name, 0: none
  std::string_view value = {};  ///< what its value is called ("FILE"); "" for a flag
  std::string_view help = {};   ///< one sentence, lower case, no full stop
  bool repeats = false;         ///< may be given several times
  /// --name alone means --name=true: a tri-state switch, or, with `value` ("before|after"), words
  /// that the verb checks.
  bool optional_value = false;
  std::span<const std::string_view> choices = {};  ///< the only values allowed, if any
};

/// The parsed words of a verb.
class Arguments {
 public:
  [[nodiscard]] bool flag(std::string_view name) const;
  [[nodiscard]] std::optional<std::string> value(
      std::string_view name) const;  ///< the last one given
  [[nodiscard]] std::string value_or(std::string_view name, std::string_view fallback) const;
  [[nodiscard]] const std::vector<std::string>& values(std::string_view name) const;
  /// A whole number; throws UsageError if it is none or not between the bounds.
  [[nodiscard]] std::optional<std::uint64_t> number(std::string_view name, std::uint64_t low,
                                                    std::uint64_t high) const;
  /// For optional_value options: true, false, or nullopt if not given. Throws UsageError for other
  /// words.
  [[nodiscard]] std::optional<bool> tri_state(std::string_view name) const;
  [[nodiscard]] const std::vector<std::string>& positional() const noexcept { return positional_; }

 private:
  friend Arguments parse_arguments(const struct VerbSpec&, const std::vector<std::string>&);
  friend struct GlobalArguments;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> positional_;
};

/// What the process was given from outside; made once by main().
struct Environment {
  std::map<std::string, std::string> variables = {};  ///< the process environment
  std::string store = {};  ///< --store, else $LADE_STORE, else the default
  [[nodiscard]] std::string variable(const std::string& name) const;
};

/// One verb ("copy", "index create").
struct VerbSpec {
  std::string_view name;
  std::string_view synopsis;     ///< its positional arguments: "SOURCE DESTINATION"
  std::string_view summary;      ///< one line for lists, lower case, no full stop
  std::string_view description;  ///< paragraphs separated by an empty line
  std::span<const std::span<const OptionSpec>> options = {};  ///< groups, shown in this order
  std::span<const std::string_view> examples = {};  ///< pairs: what it does, the command line
  std::size_t min_positional = 0;
  std::size_t max_positional = 0;
  int (*run)(const Arguments&, const Environment&) =
      nullptr;                    ///< returns the exit status; throws Error, UsageError, Cancelled
  std::size_t command_after = 0;  ///< after so many positional arguments come a command's words,
                                  ///< with dashes or not; 0: none
  int failure_status = 0;         ///< exit status of the program's own failures and of wrong words,
                                  ///< where a command's status is passed on; 0: the usual ones
  bool in_user_namespace = false;  ///< a user without privileges is root of a user namespace in it
  std::string_view group = {};     ///< heading in `lade --help`: "Build", "Copy", "Inspect"
};

/// The user's words are wrong: exit status 2, with a hint to --help.
class UsageError final : public std::exception {
 public:
  explicit UsageError(std::string message) : message_(std::move(message)) {}
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

/// Options before the verb.
std::span<const OptionSpec> global_options();

/// The value of `key` in a list that is --`option`'s: true where it is left out; UsageError if it
/// is no truth value.
bool read_truth(std::string_view option, std::string_view key, std::string_view value);

/// Reads the words after a verb by its table; throws UsageError (unknown options name the nearest
/// one).
Arguments parse_arguments(const VerbSpec& verb, const std::vector<std::string>& words);

/// Every verb, in the order of `lade --help`. The one place that lists them:
/// tools/common/verbs.cpp.
std::span<const VerbSpec* const> verbs();

std::string general_help();
std::string verb_help(const VerbSpec& verb);
/// roff source of lade-VERB(1), or of lade(1) for nullptr.
std::string man_page(const VerbSpec* verb);
/// Completion script for "bash", "zsh" or "fish"; throws UsageError for another shell.
std::string completion_script(std::string_view shell);

}  // namespace lade::tools
