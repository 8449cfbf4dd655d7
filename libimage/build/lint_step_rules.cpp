// Checks of single instructions, with what is set where they stand.
#include <algorithm>
#include <array>

#include "libimage/base/text.h"
#include "libimage/build/arguments.h"
#include "libimage/build/lint_rules.h"
#include "libimage/io/path.h"

namespace lade::build::rules {
namespace {

/// Of one instruction: more are told by nobody and read by nobody.
constexpr std::size_t kMaxMissing = 100;

char escape_of(const LintStep& step) { return step.input.file.escape; }

std::string arguments_without_flags(const LintStep& step) {
  std::string arguments = step.line.arguments;
  (void)take_flags(arguments, escape_of(step));
  return arguments;
}

std::string expanded(const LintStep& step, std::string text) {
  return expanded_text(
      {.text = std::move(text)}, [&](std::string_view name) { return step.scope.value(name); },
      escape_of(step));
}

bool is_json_list(const std::string& text) {
  try {
    return json_strings(text).has_value();
  } catch (const Error&) {
    return false;
  }
}

/// True if one of the words of `name`, which '_' separates, is among `words`.
template <std::size_t count>
bool has_word(std::string_view name, const std::array<std::string_view, count>& words) {
  const std::vector<std::string_view> parts = split(name, '_');
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) {
    return std::find(words.begin(), words.end(), lower_case(part)) != words.end();
  });
}

bool names_a_secret(std::string_view name) {
  constexpr std::array<std::string_view, 10> kSecret = {
      "apikey", "auth",  "credential", "credentials", "key",
      "passwd", "pword", "password",   "secret",      "token"};
  constexpr std::array<std::string_view, 3> kHarmless = {"public", "file", "version"};
  return has_word(name, kSecret) && !has_word(name, kHarmless);
}

}  // namespace

void json_args_recommended(const LintStep& step, const LintReport& report) {
  const std::string& keyword = step.line.keyword;
  if ((keyword != "CMD" && keyword != "ENTRYPOINT") || step.base.has_shell) return;
  if (!is_json_list(arguments_without_flags(step)))
    report(step.line.lines, cat("JSON arguments recommended for ", keyword,
                                " to prevent unintended behavior related to OS signals"));
}

void undefined_var(const LintStep& step, const LintReport& report) {
  if (step.scope.is_full()) return;
  std::set<std::string> missing;
  const VariableLookup lookup = [&](std::string_view name) {
    auto value = step.scope.value(name);
    if (!value && missing.size() < kMaxMissing) missing.emplace(name);
    return value;
  };
  if (step.line.keyword == "ARG") {
    for (const ArgDeclaration& declaration : arg_declarations(step.line, escape_of(step))) {
      if (declaration.value && !step.input.build_args.contains(declaration.name))
        (void)expanded_text({.text = *declaration.value}, lookup, escape_of(step));
    }
  } else if (step.line.keyword != "EXPOSE") {
    for (const VariableText& text : variable_texts(step.line, escape_of(step)))
      (void)expanded_text(text, lookup, escape_of(step));
  }
  std::vector<std::string> known;
  for (const std::string& name : missing) {
    if (step.scope.declared().contains(name)) continue;
    if (known.empty()) {
      for (const auto& [set, value] : step.scope.values()) known.push_back(set);
    }
    report(step.line.lines,
           cat("Usage of undefined variable '$", name, "'", suggestion(name, known, "$")));
  }
}

void workdir_relative_path(const LintStep& step, const LintReport& report) {
  if (step.line.keyword != "WORKDIR" || step.base.has_workdir) return;
  const std::string path = expanded(step, arguments_without_flags(step));
  if (!path.starts_with('/'))
    report(step.line.lines, cat("Relative workdir ", double_quoted(path),
                                " can have unexpected results if the base image changes"));
}

void multiple_instructions_disallowed(const LintStep& step, const LintReport& report) {
  if (step.replaced == nullptr) return;
  report(*step.replaced,
         cat("Multiple ", step.line.keyword, " instructions should not be used in the same stage ",
             "because only the last one will be used"));
}

void legacy_key_value_format(const LintStep& step, const LintReport& report) {
  const std::string& keyword = step.line.keyword;
  if (keyword != "ENV" && keyword != "LABEL") return;
  const std::vector<std::string> words = quoted_words(step.line.arguments, escape_of(step));
  if (!words.empty() && words[0].find('=') == std::string::npos)
    report(step.line.lines, cat("\"", keyword, " key=value\" should be used instead of legacy \"",
                                keyword, " key value\" format"));
}

void secrets_used_in_arg_or_env(const LintStep& step, const LintReport& report) {
  const std::string& keyword = step.line.keyword;
  const auto check = [&](const std::string& name) {
    if (names_a_secret(name))
      report(step.line.lines, cat("Do not use ARG or ENV instructions for sensitive data (",
                                  keyword, " ", double_quoted(name), ")"));
  };
  if (keyword == "ARG") {
    for (const ArgDeclaration& declaration : arg_declarations(step.line, escape_of(step)))
      check(declaration.name);
  } else if (keyword == "ENV") {
    for (const Pair& pair : pairs_of(step.line.arguments, escape_of(step), keyword))
      check(expanded(step, pair.name));
  }
}

namespace {

/// What only a pattern for everything matches.
constexpr std::string_view kAnyName = "\x01 any name \x01";

}  // namespace

void copy_ignored_file(const LintStep& step, const LintReport& report) {
  const std::string& keyword = step.line.keyword;
  if ((keyword != "COPY" && keyword != "ADD") || !step.input.ignore) return;
  std::string arguments = step.line.arguments;
  for (const Flag& flag : take_flags(arguments, escape_of(step))) {
    if (flag.name == "from") return;
  }
  const IgnoreList* ignore = step.input.ignore();
  if (ignore == nullptr || ignore->empty() || ignore->may_include_again()) return;
  auto list = json_strings(arguments);
  const bool is_list = list.has_value();
  std::vector<std::string> words = is_list ? std::move(*list) : plain_words(arguments);
  if (!words.empty()) words.pop_back();
  for (const std::string& word : words) {
    if (!is_list && heredoc_of_word(word)) continue;
    const std::string source = expanded(step, word);
    if (source.find("://") != std::string::npos || source.starts_with("git@")) continue;
    // Of the context itself only a pattern for everything in it counts.
    const std::string path = clean_path(source);
    const bool ignored = ignore->ignores(path.empty() ? kAnyName : path);
    if (ignored)
      report(step.line.lines,
             cat("Attempting to ", keyword == "COPY" ? "Copy" : "Add", " file ",
                 double_quoted(path.empty() ? "." : path), " that is excluded by .dockerignore"));
  }
}

namespace {

/// The words of an EXPOSE, expanded.
std::vector<std::string> ports_of(const LintStep& step) {
  if (step.line.keyword != "EXPOSE") return {};
  try {
    return step.scope.expander(escape_of(step)).words(step.line.arguments);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

void expose_proto_casing(const LintStep& step, const LintReport& report) {
  for (const std::string& port : ports_of(step)) {
    const std::size_t slash = port.find('/');
    const std::string protocol = slash == std::string::npos ? "" : port.substr(slash + 1);
    if (lower_case(protocol) != protocol)
      report(step.line.lines,
             cat("Defined protocol '", port, "' in EXPOSE instruction should be lowercase"));
  }
}

void expose_invalid_format(const LintStep& step, const LintReport& report) {
  for (const std::string& port : ports_of(step)) {
    if (port.find(':') != std::string::npos)
      report(step.line.lines,
             cat("EXPOSE instruction should not define an IP address or host-port mapping, found '",
                 port, "'"));
  }
}

}  // namespace lade::build::rules
