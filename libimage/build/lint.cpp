#include "libimage/build/lint.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <tuple>
#include <utility>

#include "libimage/base/text.h"
#include "libimage/build/lint_rules.h"

namespace lade::build {
namespace {

/// Findings of one build: what is beyond is dropped, a file of that many is read by nobody.
constexpr std::size_t kMaxWarnings = 10'000;
/// Comparing names takes time: of more, or of longer ones, none is suggested.
constexpr std::size_t kMaxSuggestions = 1'000;
constexpr std::size_t kMaxSuggestedBytes = 100;

constexpr std::string_view kCommentPrefix = "check=";

bool parse_bool(std::string_view text, std::string_view option) {
  constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "T", "TRUE", "true", "True"};
  constexpr std::array<std::string_view, 6> kFalse = {"0", "f", "F", "FALSE", "false", "False"};
  if (std::find(kTrue.begin(), kTrue.end(), text) != kTrue.end()) return true;
  if (std::find(kFalse.begin(), kFalse.end(), text) != kFalse.end()) return false;
  throw Error(Errc::invalid_content,
              cat("check option ", quoted(option), " is true or false, not ", quoted(text)));
}

/// Adds the names of "A,B"; true if it is "all".
bool add_names(std::string_view text, std::set<std::string, std::less<>>& out) {
  if (text == "all") return true;
  for (const std::string_view name : split(text, ',')) {
    if (!trimmed(name).empty()) out.emplace(trimmed(name));
  }
  return false;
}

std::vector<std::string> environment_of(const StaticScope& scope) {
  std::vector<std::string> out;
  for (const auto& [name, value] : scope.values()) out.push_back(cat(name, "=", value));
  return out;
}

}  // namespace

void sort_warnings(std::vector<LintWarning>& warnings) {
  const auto key = [](const LintWarning& w) { return std::tie(w.lines, w.rule->name, w.detail); };
  std::stable_sort(warnings.begin(), warnings.end(),
                   [&](const LintWarning& a, const LintWarning& b) { return key(a) < key(b); });
}

bool LintSettings::runs(const LintRule& rule) const {
  if (rule.experimental) return all_experimental || experimental.contains(rule.name);
  return !skip_all && !skipped.contains(rule.name);
}

LintSettings parse_lint_settings(std::string_view text) {
  LintSettings out;
  if (trimmed(text).empty()) return out;
  for (const std::string_view part : split(text, ';')) {
    const std::size_t equals = part.find('=');
    const std::string_view name = trimmed(part.substr(0, equals));
    if (equals == std::string_view::npos)
      throw Error(Errc::invalid_content, cat("invalid check option ", quoted(part)));
    const std::string_view value = trimmed(part.substr(equals + 1));
    if (name == "skip") {
      out.skip_all = add_names(value, out.skipped) || out.skip_all;
    } else if (name == "experimental") {
      out.all_experimental = add_names(value, out.experimental) || out.all_experimental;
    } else if (name == "error") {
      out.error = parse_bool(value, name);
    } else {
      throw Error(Errc::invalid_content, cat("invalid check option ", quoted(name)));
    }
  }
  return out;
}

LintSettings lint_settings(const Containerfile& file,
                           const std::map<std::string, std::string>& build_args) {
  const auto given = build_args.find(std::string(kCheckArgument));
  if (given != build_args.end()) {
    return with_context([] { return std::string(kCheckArgument); },
                        [&] { return parse_lint_settings(given->second); });
  }
  if (!file.check) return {};
  return with_context([&] { return cat(printable(file.source->name()), ": check directive"); },
                      [&] { return parse_lint_settings(*file.check); });
}

LintBase LintBase::of(const oci::ImageConfig& config) {
  LintBase out{.pulled = config.platform()};
  if (config.config) {
    out.environment = config.config->env;
    out.has_shell = config.config->shell && !config.config->shell->empty();
  }
  return out;
}

Linter::Linter(const LintInput& input, LintSettings settings)
    : input_(input), settings_(std::move(settings)) {
  const auto note = [&](const std::vector<std::string>& comments, const LineRange& lines) {
    for (const std::string& comment : comments) {
      if (!comment.starts_with(kCommentPrefix)) continue;
      try {
        by_line_[lines.first] = parse_lint_settings(comment.substr(kCommentPrefix.size()));
      } catch (const Error&) {  // a comment like any other
      }
    }
  };
  for (const GlobalArg& arg : input_.file.global_args) note(arg.comments, arg.lines);
  for (const StageSource& stage : input_.file.stages) {
    note(stage.from.comments, stage.from.lines);
    for (const auto& instruction : stage.instructions)
      note(instruction->line().comments, instruction->line().lines);
  }
}

bool Linter::skipped_at(const LintRule& rule, const LineRange& lines) const {
  const auto found = by_line_.find(lines.first);
  return found != by_line_.end() &&
         (found->second.skip_all || found->second.skipped.contains(rule.name));
}

std::vector<LintWarning> Linter::check_file() const {
  std::vector<LintWarning> out;
  for (const LintRuleEntry& entry : lint_rule_entries()) {
    if (entry.check_file == nullptr || !settings_.runs(entry.rule)) continue;
    entry.check_file(input_, [&](const LineRange& lines, std::string detail) {
      if (!skipped_at(entry.rule, lines) && out.size() < kMaxWarnings)
        out.push_back({.rule = &entry.rule, .detail = std::move(detail), .lines = lines});
    });
  }
  sort_warnings(out);
  return out;
}

std::vector<LintWarning> Linter::check_stage(std::size_t index, const LintBase& start,
                                             LintBase* end) const {
  const StageSource& stage = input_.file.stages[index];
  LintBase base = start;
  StaticScope scope(input_.build_args, input_.globals, base.environment,
                    std::exchange(base.declared, {}));
  std::vector<LintWarning> out;
  const auto report_for = [&](const LintRuleEntry& entry) {
    return [&](const LineRange& lines, std::string detail) {
      if (!skipped_at(entry.rule, lines) && out.size() < kMaxWarnings)
        out.push_back({.rule = &entry.rule, .detail = std::move(detail), .lines = lines});
    };
  };
  std::vector<const LintRuleEntry*> of_steps;
  for (const LintRuleEntry& entry : lint_rule_entries()) {
    if (!settings_.runs(entry.rule)) continue;
    if (entry.check_from != nullptr) entry.check_from(input_, stage, base, report_for(entry));
    if (entry.check_step != nullptr) of_steps.push_back(&entry);
  }
  std::map<std::string, LineRange> once;  // CMD, ENTRYPOINT, HEALTHCHECK: where they stand
  for (const auto& instruction : stage.instructions) {
    const LogicalLine& line = instruction->line();
    LintStep step{.input = input_, .stage = stage, .line = line, .scope = scope, .base = base};
    if (line.keyword == "CMD" || line.keyword == "ENTRYPOINT" || line.keyword == "HEALTHCHECK") {
      const auto before = once.find(line.keyword);
      if (before != once.end()) step.replaced = &before->second;
    }
    for (const LintRuleEntry* entry : of_steps) entry->check_step(step, report_for(*entry));
    once[line.keyword] = line.lines;
    base.has_shell = base.has_shell || line.keyword == "SHELL";
    base.has_workdir = base.has_workdir || line.keyword == "WORKDIR";
    scope.pass(line, input_.file.escape);
  }
  sort_warnings(out);
  if (end != nullptr) {
    *end = {.environment = environment_of(scope),
            .has_shell = base.has_shell,
            .has_workdir = base.has_workdir,
            .declared = scope.declared()};
  }
  return out;
}

std::string lint_text(const SourceText& source, const LintWarning& warning) {
  return cat(source.place(warning.lines), ": ", warning.rule->name, ": ", printable(warning.detail),
             "\n", source.excerpt(warning.lines));
}

Error lint_error(const std::vector<LintWarning>& warnings) {
  std::set<std::string_view> names;
  for (const LintWarning& warning : warnings) names.insert(warning.rule->name);
  std::string text = "lint violation found for rules: ";
  for (const std::string_view name : names) text += cat(name == *names.begin() ? "" : ", ", name);
  return Error(Errc::invalid_content, text);
}

std::string suggestion(std::string_view name, const std::vector<std::string>& known,
                       std::string_view mark) {
  if (known.size() > kMaxSuggestions || name.size() > kMaxSuggestedBytes) return {};
  std::vector<std::string> candidates;
  std::copy_if(known.begin(), known.end(), std::back_inserter(candidates),
               [](const std::string& text) { return text.size() <= kMaxSuggestedBytes; });
  const auto near = nearest(name, candidates);
  return near ? cat(" (did you mean ", mark, *near, "?)") : std::string();
}

}  // namespace lade::build
