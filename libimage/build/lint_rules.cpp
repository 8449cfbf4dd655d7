// The table of build checks: a new one is a row here and a function in lint_*_rules.cpp.
#include "libimage/build/lint_rules.h"

#include <array>

namespace lade::build {
namespace {

constexpr std::array<LintRuleEntry, 22> kEntries = {{
    {.rule = {"StageNameCasing", "Stage names should be lowercase",
              "https://docs.docker.com/go/dockerfile/rule/stage-name-casing/"},
     .check_file = rules::stage_name_casing},
    {.rule = {"FromAsCasing", "The 'as' keyword should match the case of the 'from' keyword",
              "https://docs.docker.com/go/dockerfile/rule/from-as-casing/"},
     .check_file = rules::from_as_casing},
    {.rule = {"NoEmptyContinuation",
              "Empty continuation lines will become errors in a future release",
              "https://docs.docker.com/go/dockerfile/rule/no-empty-continuation/"},
     .check_file = rules::no_empty_continuation},
    {.rule = {"ConsistentInstructionCasing",
              "All commands within the Dockerfile should use the same casing (either upper or "
              "lower)",
              "https://docs.docker.com/go/dockerfile/rule/consistent-instruction-casing/"},
     .check_file = rules::consistent_instruction_casing},
    {.rule = {"DuplicateStageName", "Stage names should be unique",
              "https://docs.docker.com/go/dockerfile/rule/duplicate-stage-name/"},
     .check_file = rules::duplicate_stage_name},
    {.rule = {"ReservedStageName", "Reserved words should not be used as stage names",
              "https://docs.docker.com/go/dockerfile/rule/reserved-stage-name/"},
     .check_file = rules::reserved_stage_name},
    {.rule = {"JSONArgsRecommended",
              "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior "
              "related to OS signals",
              "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/"},
     .check_step = rules::json_args_recommended},
    {.rule = {"MaintainerDeprecated",
              "The MAINTAINER instruction is deprecated, use a label instead to define an image "
              "author",
              "https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/"},
     .check_file = rules::maintainer_deprecated},
    {.rule = {"UndefinedArgInFrom", "FROM command must use declared ARGs",
              "https://docs.docker.com/go/dockerfile/rule/undefined-arg-in-from/"},
     .check_file = rules::undefined_arg_in_from},
    {.rule = {"WorkdirRelativePath",
              "Relative workdir without an absolute workdir declared within the build can have "
              "unexpected results if the base image changes",
              "https://docs.docker.com/go/dockerfile/rule/workdir-relative-path/"},
     .check_step = rules::workdir_relative_path},
    {.rule = {"UndefinedVar", "Variables should be defined before their use",
              "https://docs.docker.com/go/dockerfile/rule/undefined-var/"},
     .check_step = rules::undefined_var},
    {.rule = {"MultipleInstructionsDisallowed",
              "Multiple instructions of the same type should not be used in the same stage",
              "https://docs.docker.com/go/dockerfile/rule/multiple-instructions-disallowed/"},
     .check_step = rules::multiple_instructions_disallowed},
    {.rule = {"LegacyKeyValueFormat",
              "Legacy key/value format with whitespace separator should not be used",
              "https://docs.docker.com/go/dockerfile/rule/legacy-key-value-format/"},
     .check_step = rules::legacy_key_value_format},
    {.rule = {"InvalidBaseImagePlatform",
              "Base image platform does not match expected target platform",
              "https://docs.docker.com/go/dockerfile/rule/invalid-base-image-platform/"},
     .check_from = rules::invalid_base_image_platform},
    {.rule = {"RedundantTargetPlatform",
              "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the "
              "default behavior",
              "https://docs.docker.com/go/dockerfile/rule/redundant-target-platform/"},
     .check_file = rules::redundant_target_platform},
    {.rule = {"SecretsUsedInArgOrEnv",
              "Sensitive data should not be used in the ARG or ENV commands",
              "https://docs.docker.com/go/dockerfile/rule/secrets-used-in-arg-or-env/"},
     .check_step = rules::secrets_used_in_arg_or_env},
    {.rule = {"InvalidDefaultArgInFrom",
              "Default value for global ARG results in an empty or invalid base image name",
              "https://docs.docker.com/go/dockerfile/rule/invalid-default-arg-in-from/"},
     .check_file = rules::invalid_default_arg_in_from},
    {.rule = {"FromPlatformFlagConstDisallowed",
              "FROM --platform flag should not use a constant value",
              "https://docs.docker.com/go/dockerfile/rule/from-platform-flag-const-disallowed/"},
     .check_file = rules::from_platform_flag_const_disallowed},
    {.rule = {"CopyIgnoredFile", "Attempting to Copy file that is excluded by .dockerignore",
              "https://docs.docker.com/go/dockerfile/rule/copy-ignored-file/", true},
     .check_step = rules::copy_ignored_file},
    {.rule = {"InvalidDefinitionDescription",
              "Comment for build stage or argument should follow the format: `# <arg/stage name> "
              "<description>`. If this is not intended to be a description comment, add an empty "
              "line or comment between the instruction and the comment.",
              "https://docs.docker.com/go/dockerfile/rule/invalid-definition-description/", true},
     .check_file = rules::invalid_definition_description},
    {.rule = {"ExposeProtoCasing", "Protocol in EXPOSE instruction should be lowercase",
              "https://docs.docker.com/go/dockerfile/rule/expose-proto-casing/"},
     .check_step = rules::expose_proto_casing},
    {.rule = {"ExposeInvalidFormat",
              "IP address and host-port mapping should not be used in EXPOSE instruction. This "
              "will become an error in a future release",
              "https://docs.docker.com/go/dockerfile/rule/expose-invalid-format/"},
     .check_step = rules::expose_invalid_format},
}};

constexpr auto kRules = [] {
  std::array<const LintRule*, kEntries.size()> out{};
  for (std::size_t i = 0; i < kEntries.size(); ++i) out[i] = &kEntries[i].rule;
  return out;
}();

}  // namespace

std::span<const LintRuleEntry> lint_rule_entries() { return kEntries; }

std::span<const LintRule* const> lint_rules() { return kRules; }

}  // namespace lade::build
