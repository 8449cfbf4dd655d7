// Checks of the file as a whole: stages, names, spelling.
#include <algorithm>
#include <set>

#include "libimage/base/text.h"
#include "libimage/build/arguments.h"
#include "libimage/build/globals.h"
#include "libimage/build/lint_rules.h"
#include "libimage/name/platform.h"
#include "libimage/name/reference.h"

namespace lade::build::rules {
namespace {

std::string upper_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

bool is_lower(std::string_view text) { return lower_case(text) == text; }
bool is_upper(std::string_view text) { return upper_case(text) == text; }

/// The words of a FROM behind its flags: image, or image, "as", name.
std::vector<std::string> from_words(const LintInput& input, const StageSource& stage) {
  std::string arguments = stage.from.arguments;
  (void)take_flags(arguments, input.file.escape);
  return plain_words(arguments);
}

/// Every instruction below a FROM, and the FROMs; not the ARGs before the first.
template <typename Visit>
void for_each_line(const LintInput& input, const Visit& visit) {
  for (const StageSource& stage : input.file.stages) {
    visit(stage.from);
    for (const auto& instruction : stage.instructions) visit(instruction->line());
  }
}

/// The variables that a FROM's word names, by whether they are set.
struct Uses {
  std::set<std::string> found = {};
  std::set<std::string> missing = {};
  std::string text = {};  ///< the word expanded
};

Uses uses_of(const std::string& word, const Environment& globals, char escape) {
  Uses out;
  const VariableLookup lookup = [&](std::string_view name) {
    auto value = get_variable(globals, name);
    (value ? out.found : out.missing).emplace(name);
    return value;
  };
  out.text = expanded_text({.text = word}, lookup, escape);
  return out;
}

}  // namespace

void stage_name_casing(const LintInput& input, const LintReport& report) {
  for (const StageSource& stage : input.file.stages) {
    const std::vector<std::string> words = from_words(input, stage);
    if (words.size() == 3 && !is_lower(words[2]))
      report(stage.from.lines, cat("Stage name '", words[2], "' should be lowercase"));
  }
}

void from_as_casing(const LintInput& input, const LintReport& report) {
  for (const StageSource& stage : input.file.stages) {
    const std::vector<std::string> words = from_words(input, stage);
    if (words.size() != 3) continue;
    const std::string& from = stage.from.written;
    // A FROM of mixed case is another rule's.
    const bool differs =
        (is_lower(from) && !is_lower(words[1])) || (is_upper(from) && !is_upper(words[1]));
    if (differs)
      report(stage.from.lines,
             cat("'", words[1], "' and '", from, "' keywords' casing do not match"));
  }
}

void no_empty_continuation(const LintInput& input, const LintReport& report) {
  const auto check = [&](std::size_t at) {
    if (at != 0) report({at, at}, "Empty continuation line");
  };
  for (const GlobalArg& arg : input.file.global_args) check(arg.empty_continuation);
  for_each_line(input, [&](const LogicalLine& line) { check(line.empty_continuation); });
}

void consistent_instruction_casing(const LintInput& input, const LintReport& report) {
  std::size_t lower = 0;
  std::size_t upper = 0;
  for_each_line(input, [&](const LogicalLine& line) {
    lower += is_lower(line.written) ? 1U : 0U;
    upper += is_upper(line.written) ? 1U : 0U;
  });
  const bool want_lower = lower > upper;
  for_each_line(input, [&](const LogicalLine& line) {
    if (want_lower ? is_lower(line.written) : is_upper(line.written)) return;
    report(line.lines, cat("Command '", line.written, "' should match the case of the command ",
                           "majority (", want_lower ? "lowercase" : "uppercase", ")"));
  });
}

void duplicate_stage_name(const LintInput& input, const LintReport& report) {
  std::set<std::string> names;
  for (const StageSource& stage : input.file.stages) {
    if (!stage.name.empty() && !names.insert(stage.name).second)
      report(stage.from.lines, cat("Duplicate stage name ", double_quoted(stage.name),
                                   ", stage names should be unique"));
  }
}

void reserved_stage_name(const LintInput& input, const LintReport& report) {
  for (const StageSource& stage : input.file.stages) {
    if (stage.name == "scratch" || stage.name == "context")
      report(stage.from.lines, cat("Stage name should not use the same name as reserved stage ",
                                   double_quoted(stage.name)));
  }
}

void maintainer_deprecated(const LintInput& input, const LintReport& report) {
  for_each_line(input, [&](const LogicalLine& line) {
    if (line.keyword == "MAINTAINER")
      report(line.lines, "Maintainer instruction is deprecated in favor of using label");
  });
}

void undefined_arg_in_from(const LintInput& input, const LintReport& report) {
  std::set<std::string> known;
  for (const std::string& entry : input.globals) known.insert(entry.substr(0, entry.find('=')));
  for (const GlobalArg& arg : input.file.global_args) known.insert(arg.name);
  for (const StageSource& stage : input.file.stages) {
    Uses uses = uses_of(stage.base, input.globals, input.file.escape);
    uses.missing.merge(uses_of(stage.platform, input.globals, input.file.escape).missing);
    for (const std::string& name : uses.missing) {
      if (!known.contains(name))
        report(stage.from.lines, cat("FROM argument '", name, "' is not declared",
                                     suggestion(name, {known.begin(), known.end()}, "")));
    }
  }
}

void redundant_target_platform(const LintInput& input, const LintReport& report) {
  const auto target = get_variable(input.globals, "TARGETPLATFORM");
  for (const StageSource& stage : input.file.stages) {
    const Uses uses = uses_of(stage.platform, input.globals, input.file.escape);
    if (uses.found == std::set<std::string>{"TARGETPLATFORM"} && uses.missing.empty() &&
        uses.text == target)
      report(stage.from.lines, cat("Setting platform to predefined ", stage.platform,
                                   " in FROM is redundant as this is the default behavior"));
  }
}

void invalid_default_arg_in_from(const LintInput& input, const LintReport& report) {
  const Environment defaults = global_variables(input.file, {}, "", input.platform);
  for (const StageSource& stage : input.file.stages) {
    if (stage.base.find('$') == std::string::npos) continue;
    const std::string name = uses_of(stage.base, defaults, input.file.escape).text;
    // Other transports' names ("oci:dir:tag") are no references, and fine.
    const std::size_t colon = name.find(':');
    const bool path = colon != std::string::npos && name.find('/', colon) != std::string::npos;
    if (!Reference::try_parse(name) && (!path || name.starts_with(':')))
      report(stage.from.lines, cat("Default value for ARG ", stage.base,
                                   " results in empty or invalid base image name"));
  }
}

void from_platform_flag_const_disallowed(const LintInput& input, const LintReport& report) {
  for (const StageSource& stage : input.file.stages) {
    const Uses uses = uses_of(stage.platform, input.globals, input.file.escape);
    if (uses.text.empty() || !uses.found.empty() || !uses.missing.empty()) continue;
    try {
      const oci::Platform platform = parse_platform(uses.text);
      if (stage.name.find(platform.os) != std::string::npos ||
          stage.name.find(platform.architecture) != std::string::npos)
        continue;
      report(stage.from.lines,
             cat("FROM --platform flag should not use constant value ", double_quoted(uses.text)));
    } catch (const Error&) {  // told when the stage is resolved
    }
  }
}

namespace {

void check_description(const std::vector<std::string>& comments, const LineRange& lines,
                       std::string_view keyword, const std::vector<std::string>& names,
                       const LintReport& report) {
  if (comments.empty() || names.empty()) return;
  const std::string& last = comments.back();
  const std::string word = last.substr(0, last.find(' '));
  if (std::find(names.begin(), names.end(), word) != names.end()) return;
  report(lines, cat("Comment for ", keyword, " should follow the format: `# ",
                    names.size() > 1 ? "<arg_key>" : names[0], " <description>`"));
}

std::vector<std::string> declared_names(const LogicalLine& line, char escape) {
  std::vector<std::string> out;
  for (const ArgDeclaration& declaration : arg_declarations(line, escape))
    out.push_back(declaration.name);
  return out;
}

}  // namespace

void invalid_definition_description(const LintInput& input, const LintReport& report) {
  const std::vector<GlobalArg>& globals = input.file.global_args;
  for (std::size_t i = 0; i < globals.size();) {
    const std::size_t first = i;
    std::vector<std::string> names;
    for (; i < globals.size() && globals[i].lines == globals[first].lines; ++i)
      names.push_back(globals[i].name);
    check_description(globals[first].comments, globals[first].lines, "ARG", names, report);
  }
  for (const StageSource& stage : input.file.stages) {
    const std::vector<std::string> words = from_words(input, stage);
    if (words.size() == 3)
      check_description(stage.from.comments, stage.from.lines, "FROM", {stage.name}, report);
    for (const auto& instruction : stage.instructions) {
      const LogicalLine& line = instruction->line();
      if (line.keyword == "ARG")
        check_description(line.comments, line.lines, "ARG", declared_names(line, input.file.escape),
                          report);
    }
  }
}

void invalid_base_image_platform(const LintInput& input, const StageSource& stage,
                                 const LintBase& base, const LintReport& report) {
  if (!base.pulled) return;
  oci::Platform wanted = input.platform;
  const Uses platform = uses_of(stage.platform, input.globals, input.file.escape);
  try {
    if (!platform.text.empty()) wanted = parse_platform(platform.text);
  } catch (const Error&) {
    return;
  }
  const bool known = !base.pulled->os.empty() && !base.pulled->architecture.empty();
  if (!known || (base.pulled->os == wanted.os && base.pulled->architecture == wanted.architecture))
    return;
  report(
      stage.from.lines,
      cat("Base image ", uses_of(stage.base, input.globals, input.file.escape).text,
          " was pulled with platform ", double_quoted(oci::to_string(normalised(*base.pulled))),
          ", expected ", double_quoted(oci::to_string(normalised(wanted))), " for current build"));
}

}  // namespace lade::build::rules
