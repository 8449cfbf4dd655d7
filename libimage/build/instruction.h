#pragma once
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/build/arguments.h"
#include "libimage/build/lexer.h"

namespace lade::build {

class StageContext;

/// One instruction below a FROM: parsed once, executed in its stage.
class Instruction {
 public:
  explicit Instruction(LogicalLine line) : line_(std::move(line)) {}
  virtual ~Instruction() = default;
  Instruction(const Instruction&) = delete;
  Instruction& operator=(const Instruction&) = delete;

  [[nodiscard]] const LogicalLine& line() const noexcept { return line_; }
  /// The instruction as people read it, on one line.
  [[nodiscard]] std::string label() const;

  /// Changes the stage. Errors carry no place: the stage adds it.
  virtual void execute(StageContext& stage) const = 0;
  /// The stages and images whose trees it reads (COPY --from, RUN --mount=from=).
  [[nodiscard]] virtual std::vector<std::string> from() const { return {}; }
  /// True if it says what only this program understands (BuildOptions::extensions).
  [[nodiscard]] virtual bool is_extended() const { return false; }
  /// Names that it declares (ARG).
  [[nodiscard]] virtual std::vector<std::string> declares() const { return {}; }

 private:
  LogicalLine line_;
};

/// What an instruction's parser gets.
struct ParseInput {
  const LogicalLine& line;
  char escape = '\\';
};

/// One flag that an instruction knows.
struct FlagRule {
  enum class Kind {
    value,       ///< --name=value
    boolean,     ///< --name, --name=true, --name=false
    list,        ///< --name=value, several times
    unsupported  ///< known to the language, refused here
  };
  std::string_view name;
  Kind kind = Kind::value;
};

/// The flags of one instruction, checked: an unknown one is Error{invalid_content} with the nearest
/// known name, a duplicate or a missing value too; one that is not implemented is
/// Error{unsupported}.
class FlagSet {
 public:
  FlagSet(std::string_view keyword, std::vector<Flag> flags, std::initializer_list<FlagRule> rules);
  /// The flag's value, "" if it was not given.
  [[nodiscard]] std::string value(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> values(std::string_view name) const;
  [[nodiscard]] bool given(std::string_view name) const;
  /// A boolean flag's value, or `otherwise`.
  [[nodiscard]] bool boolean(std::string_view name, bool otherwise) const;

 private:
  const Flag* find(std::string_view name) const;
  std::vector<Flag> flags_;
};

}  // namespace lade::build
