// ARG, ENV, LABEL: names and values.
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/instructions.h"
#include "libimage/build/stage.h"

namespace lade::build {
namespace {

class Arg final : public Instruction {
 public:
  struct Declaration {
    std::string name;
    std::optional<std::string> value = {};  // not expanded
  };
  Arg(LogicalLine line, std::vector<Declaration> declarations)
      : Instruction(std::move(line)), declarations_(std::move(declarations)) {}

  void execute(StageContext& stage) const override {
    const Expander expander = stage.expander();
    std::vector<DeclaredArg> found;
    std::string created_by = "ARG";
    for (const Declaration& declaration : declarations_) {
      found.push_back({.name = declaration.name, .value = value_of(declaration, expander, stage)});
      created_by += cat(" ", declaration.name);
      if (found.back().value) created_by += cat("=", *found.back().value);
    }
    StageState& state = stage.state();
    for (DeclaredArg& arg : found) {
      if (arg.value) set_variable(state.environment, arg.name, *arg.value);
      std::erase_if(state.args, [&](const DeclaredArg& known) { return known.name == arg.name; });
      state.args.push_back(std::move(arg));
    }
    stage.commit(std::move(created_by));
  }

  [[nodiscard]] std::vector<std::string> declares() const override {
    std::vector<std::string> names;
    for (const Declaration& declaration : declarations_) names.push_back(declaration.name);
    return names;
  }

 private:
  static std::optional<std::string> value_of(const Declaration& declaration,
                                             const Expander& expander, StageContext& stage) {
    const auto& given = stage.run().options().build_args;
    const auto argument = given.find(declaration.name);
    if (argument != given.end()) return argument->second;
    if (declaration.value) return expander.word(*declaration.value);
    return get_variable(stage.globals(), declaration.name);
  }

  std::vector<Declaration> declarations_;
};

std::vector<Pair> expanded(const std::vector<Pair>& pairs, const Expander& expander,
                           std::string_view keyword) {
  std::vector<Pair> out;
  for (const Pair& pair : pairs) {
    out.push_back({.name = expander.word(pair.name), .value = expander.word(pair.value)});
    if (out.back().name.empty())
      throw Error(Errc::invalid_content, cat(keyword, " has an empty name"));
  }
  return out;
}

std::string created_by_pairs(std::string_view keyword, const std::vector<Pair>& pairs) {
  std::string out(keyword);
  for (const Pair& pair : pairs) out += cat(" ", pair.name, "=", pair.value);
  return out;
}

class Env final : public Instruction {
 public:
  Env(LogicalLine line, std::vector<Pair> pairs)
      : Instruction(std::move(line)), pairs_(std::move(pairs)) {}

  void execute(StageContext& stage) const override {
    const std::vector<Pair> pairs = expanded(pairs_, stage.expander(), "ENV");
    for (const Pair& pair : pairs) {
      set_variable(stage.config().env, pair.name, pair.value);
      set_variable(stage.state().environment, pair.name, pair.value);
    }
    stage.commit(created_by_pairs("ENV", pairs));
  }

 private:
  std::vector<Pair> pairs_;
};

class Label final : public Instruction {
 public:
  Label(LogicalLine line, std::vector<Pair> pairs)
      : Instruction(std::move(line)), pairs_(std::move(pairs)) {}

  void execute(StageContext& stage) const override {
    const std::vector<Pair> pairs = expanded(pairs_, stage.expander(), "LABEL");
    for (const Pair& pair : pairs) stage.config().labels[pair.name] = pair.value;
    stage.commit(created_by_pairs("LABEL", pairs));
  }

 private:
  std::vector<Pair> pairs_;
};

}  // namespace

std::unique_ptr<Instruction> parse_arg(const ParseInput& input) {
  std::vector<Arg::Declaration> declarations;
  for (const std::string& word : quoted_words(input.line.arguments, input.escape)) {
    const std::size_t equals = word.find('=');
    Arg::Declaration declaration{.name = word.substr(0, equals)};
    if (declaration.name.empty()) throw Error(Errc::invalid_content, "ARG has an empty name");
    if (equals != std::string::npos) declaration.value = word.substr(equals + 1);
    declarations.push_back(std::move(declaration));
  }
  if (declarations.empty()) throw Error(Errc::invalid_content, "ARG needs at least one name");
  return std::make_unique<Arg>(input.line, std::move(declarations));
}

std::unique_ptr<Instruction> parse_env(const ParseInput& input) {
  return std::make_unique<Env>(input.line, pairs_of(input.line.arguments, input.escape, "ENV"));
}

std::unique_ptr<Instruction> parse_label(const ParseInput& input) {
  return std::make_unique<Label>(input.line, pairs_of(input.line.arguments, input.escape, "LABEL"));
}

}  // namespace lade::build
