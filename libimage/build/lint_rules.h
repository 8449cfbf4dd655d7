/// Between the linter and its rules.
#pragma once
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>

#include "libimage/build/lint.h"
#include "libimage/build/static_scope.h"

namespace lade::build {

using LintReport = std::function<void(const LineRange& lines, std::string detail)>;

/// One instruction of a stage, with what is set before it.
struct LintStep {
  const LintInput& input;
  const StageSource& stage;
  const LogicalLine& line;
  const StaticScope& scope;
  const LintBase& base;  ///< what the stage started from, SHELL and WORKDIR brought up to date
  /// Lines of the CMD, ENTRYPOINT or HEALTHCHECK that this one replaces; nullptr if there is none.
  const LineRange* replaced = nullptr;
};

/// A row of the table: a rule has one of the functions.
struct LintRuleEntry {
  LintRule rule;
  void (*check_file)(const LintInput& input, const LintReport& report) = nullptr;
  void (*check_from)(const LintInput& input, const StageSource& stage, const LintBase& base,
                     const LintReport& report) = nullptr;
  void (*check_step)(const LintStep& step, const LintReport& report) = nullptr;
};

std::span<const LintRuleEntry> lint_rule_entries();

/// " (did you mean X?)" with `mark` before the name, or "" where none of `known` is near, or where
/// they are too many to look.
std::string suggestion(std::string_view name, const std::vector<std::string>& known,
                       std::string_view mark);

namespace rules {
// Of the file (lint_file_rules.cpp).
void stage_name_casing(const LintInput& input, const LintReport& report);
void from_as_casing(const LintInput& input, const LintReport& report);
void no_empty_continuation(const LintInput& input, const LintReport& report);
void consistent_instruction_casing(const LintInput& input, const LintReport& report);
void duplicate_stage_name(const LintInput& input, const LintReport& report);
void reserved_stage_name(const LintInput& input, const LintReport& report);
void maintainer_deprecated(const LintInput& input, const LintReport& report);
void undefined_arg_in_from(const LintInput& input, const LintReport& report);
void redundant_target_platform(const LintInput& input, const LintReport& report);
void invalid_default_arg_in_from(const LintInput& input, const LintReport& report);
void from_platform_flag_const_disallowed(const LintInput& input, const LintReport& report);
void invalid_definition_description(const LintInput& input, const LintReport& report);
// Of a stage's base.
void invalid_base_image_platform(const LintInput& input, const StageSource& stage,
                                 const LintBase& base, const LintReport& report);
// Of an instruction (lint_step_rules.cpp).
void json_args_recommended(const LintStep& step, const LintReport& report);
void undefined_var(const LintStep& step, const LintReport& report);
void workdir_relative_path(const LintStep& step, const LintReport& report);
void multiple_instructions_disallowed(const LintStep& step, const LintReport& report);
void legacy_key_value_format(const LintStep& step, const LintReport& report);
void secrets_used_in_arg_or_env(const LintStep& step, const LintReport& report);
void copy_ignored_file(const LintStep& step, const LintReport& report);
void expose_proto_casing(const LintStep& step, const LintReport& report);
void expose_invalid_format(const LintStep& step, const LintReport& report);
}  // namespace rules

}  // namespace lade::build
