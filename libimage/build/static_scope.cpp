#include "libimage/build/static_scope.h"

#include "libimage/base/error.h"
#include "libimage/build/arguments.h"

namespace lade::build {
namespace {

/// Of hostile files that let a value grow: what is longer is not followed.
constexpr std::size_t kMaxValueBytes = std::size_t{64} * 1024;
constexpr std::size_t kMaxNames = 500;

void add(std::vector<VariableText>& out, std::string text) {
  if (text.find('$') != std::string::npos) out.push_back({.text = std::move(text)});
}

void add_flags(std::vector<VariableText>& out, std::string& arguments, char escape,
               std::initializer_list<std::string_view> names) {
  for (Flag& flag : take_flags(arguments, escape)) {
    for (const std::string_view name : names) {
      if (flag.name == name && flag.value) add(out, std::move(*flag.value));
    }
  }
}

std::vector<std::string> words_of(const std::string& arguments) {
  auto words = json_strings(arguments);
  return words ? std::move(*words) : plain_words(arguments);
}

std::vector<VariableText> texts_of(const LogicalLine& line, char escape) {
  std::vector<VariableText> out;
  std::string arguments = line.arguments;
  const std::string& keyword = line.keyword;
  if (keyword == "COPY" || keyword == "ADD") {
    add_flags(out, arguments, escape, {"chown", "chmod", "checksum"});
    const bool list = json_strings(arguments).has_value();
    for (std::string& word : words_of(arguments)) {
      if (list || !heredoc_of_word(word)) add(out, std::move(word));
    }
    for (const Heredoc& heredoc : line.heredocs) {
      if (heredoc.expand)
        out.push_back({.kind = VariableText::Kind::heredoc, .text = heredoc.body()});
    }
  } else if (keyword == "RUN") {
    add_flags(out, arguments, escape, {"mount"});
  } else if (keyword == "ENV" || keyword == "LABEL") {
    for (Pair& pair : pairs_of(arguments, escape, keyword)) {
      add(out, std::move(pair.name));
      add(out, std::move(pair.value));
    }
  } else if (keyword == "ARG") {
    for (ArgDeclaration& declaration : arg_declarations(line, escape)) {
      if (declaration.value) add(out, std::move(*declaration.value));
    }
  } else if (keyword == "VOLUME") {
    for (std::string& path : words_of(arguments)) add(out, std::move(path));
  } else if (keyword == "STOPSIGNAL" || keyword == "USER" || keyword == "WORKDIR" ||
             keyword == "EXPOSE") {
    take_flags(arguments, escape);
    add(out, std::move(arguments));
  }
  return out;
}

}  // namespace

std::vector<ArgDeclaration> arg_declarations(const LogicalLine& line, char escape) {
  std::vector<ArgDeclaration> out;
  for (const std::string& word : quoted_words(line.arguments, escape)) {
    const std::size_t equals = word.find('=');
    ArgDeclaration declaration{.name = word.substr(0, equals)};
    if (equals != std::string::npos) declaration.value = word.substr(equals + 1);
    if (!declaration.name.empty()) out.push_back(std::move(declaration));
  }
  return out;
}

std::vector<VariableText> variable_texts(const LogicalLine& line, char escape) {
  try {
    return texts_of(line, escape);
  } catch (const Error&) {
    return {};
  }
}

std::string expanded_text(const VariableText& text, const VariableLookup& lookup, char escape) {
  try {
    const Expander expander(lookup, escape);
    return text.kind == VariableText::Kind::heredoc ? expander.heredoc(text.text)
                                                    : expander.word(text.text);
  } catch (const Error&) {
    return text.text;
  }
}

StaticScope::StaticScope(const Values& given, const Environment& globals,
                         const Environment& environment, std::set<std::string> declared)
    : given_(&given), globals_(&globals), declared_(std::move(declared)) {
  values_.emplace("PATH", kDefaultPath);
  for (const std::string& entry : environment) {
    const std::size_t equals = entry.find('=');
    if (equals != std::string::npos) set(entry.substr(0, equals), entry.substr(equals + 1));
  }
}

std::optional<std::string> StaticScope::value(std::string_view name) const {
  const auto found = values_.find(std::string(name));
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

Expander StaticScope::expander(char escape) const {
  return Expander([this](std::string_view name) { return value(name); }, escape);
}

std::optional<std::string> StaticScope::value_of(const ArgDeclaration& declaration,
                                                 char escape) const {
  const auto given = given_->find(declaration.name);
  if (given != given_->end()) return given->second;
  if (declaration.value) {
    return expanded_text(
        {.text = *declaration.value}, [this](std::string_view name) { return value(name); },
        escape);
  }
  return get_variable(*globals_, declaration.name);
}

void StaticScope::pass(const LogicalLine& line, char escape) {
  std::vector<Pair> found;
  if (line.keyword == "ARG") {
    for (const ArgDeclaration& declaration : arg_declarations(line, escape)) {
      if (auto text = value_of(declaration, escape))
        found.push_back({.name = declaration.name, .value = std::move(*text)});
      if (declared_.size() < kMaxNames) declared_.insert(declaration.name);
    }
  } else if (line.keyword == "ENV") {
    try {
      const VariableLookup lookup = [this](std::string_view name) { return value(name); };
      for (const Pair& pair : pairs_of(line.arguments, escape, "ENV")) {
        found.push_back({.name = expanded_text({.text = pair.name}, lookup, escape),
                         .value = expanded_text({.text = pair.value}, lookup, escape)});
      }
    } catch (const Error&) {  // refused by its parser
    }
  }
  for (Pair& pair : found) set(std::move(pair.name), std::move(pair.value));
}

void StaticScope::set(std::string name, std::string value) {
  if (value.size() > kMaxValueBytes) value.clear();
  if (values_.size() >= kMaxNames && !values_.contains(name)) {
    full_ = true;
    return;
  }
  values_[std::move(name)] = std::move(value);
}

}  // namespace lade::build
