/// A stage's variables, followed through its lines without building anything: for lint and outline.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "libimage/build/environment.h"
#include "libimage/build/lexer.h"
#include "libimage/build/word.h"

namespace lade::build {

/// One ARG as written.
struct ArgDeclaration {
  std::string name;
  std::optional<std::string> value = {};  ///< not expanded
  bool operator==(const ArgDeclaration&) const = default;
};

/// The declarations of an ARG line; those with an empty name are left out.
std::vector<ArgDeclaration> arg_declarations(const LogicalLine& line, char escape);

/// A piece of an instruction in which the builder expands variables.
struct VariableText {
  enum class Kind { word, heredoc } kind = Kind::word;
  std::string text;
};

/// Those of `line`, in order; of ARG the defaults. Empty for what cannot be taken apart, which its
/// parser has refused already.
std::vector<VariableText> variable_texts(const LogicalLine& line, char escape);

/// `text` expanded; what has no value is "", and what cannot be expanded comes back as it is.
std::string expanded_text(const VariableText& text, const VariableLookup& lookup, char escape);

/// What is set at one line of a stage.
class StaticScope {
 public:
  using Values = std::map<std::string, std::string>;

  /// `given` and `globals` outlive the object: the --build-arg values, and what an ARG without a
  /// value takes. `environment` is the base's.
  StaticScope(const Values& given, const Environment& globals, const Environment& environment,
              std::set<std::string> declared = {});

  [[nodiscard]] const Values& values() const noexcept { return values_; }
  /// Names of ARGs, whether or not they have a value.
  [[nodiscard]] const std::set<std::string>& declared() const noexcept { return declared_; }
  /// True: there were more names than are followed, so that a missing one says nothing.
  [[nodiscard]] bool is_full() const noexcept { return full_; }
  [[nodiscard]] std::optional<std::string> value(std::string_view name) const;
  [[nodiscard]] Expander expander(char escape) const;
  /// What `declaration` sets: its value of the command line, else its default, else the global one.
  [[nodiscard]] std::optional<std::string> value_of(const ArgDeclaration& declaration,
                                                    char escape) const;

  /// Goes past `line`: ARG and ENV set what they set.
  void pass(const LogicalLine& line, char escape);

 private:
  void set(std::string name, std::string value);

  const Values* given_;
  const Environment* globals_;
  Values values_;
  std::set<std::string> declared_;
  bool full_ = false;
};

}  // namespace lade::build
