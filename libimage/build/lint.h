/// The build checks: BuildKit's 22 rules, with its names, messages and pages.
///
/// A rule is a row of the table in lint_rules.cpp: a small function over the parsed file or over
/// one instruction with what is set there. Nothing is executed. Findings are warnings; a build goes
/// on unless the settings ask for an error.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/build/containerfile.h"
#include "libimage/build/environment.h"
#include "libimage/build/ignore_pattern.h"
#include "libimage/oci/image_config.h"

namespace lade::build {

/// What is known of a check. All views are literals.
struct LintRule {
  std::string_view name;
  std::string_view description;
  std::string_view url;       ///< the page that explains it
  bool experimental = false;  ///< runs only where the settings name it
};

/// Every rule, in BuildKit's order.
std::span<const LintRule* const> lint_rules();

struct LintWarning {
  const LintRule* rule = nullptr;
  std::string detail = {};  ///< the message
  LineRange lines = {};
};

/// Warnings by line, then by rule and message.
void sort_warnings(std::vector<LintWarning>& warnings);

/// What a check directive asks for: "skip=A,B;error=true;experimental=C".
struct LintSettings {
  bool skip_all = false;
  bool all_experimental = false;
  bool error = false;  ///< a finding fails the build
  std::set<std::string, std::less<>> skipped = {};
  std::set<std::string, std::less<>> experimental = {};

  [[nodiscard]] bool runs(const LintRule& rule) const;
};

/// Throws Error{invalid_content}.
LintSettings parse_lint_settings(std::string_view text);

/// The build argument that replaces the file's check directive.
inline constexpr std::string_view kCheckArgument = "BUILDKIT_DOCKERFILE_CHECK";

/// Those of the build: the argument's, else the file's.
LintSettings lint_settings(const Containerfile& file,
                           const std::map<std::string, std::string>& build_args);

/// What the checks look at. Everything outlives the Linter.
struct LintInput {
  const Containerfile& file;
  const std::map<std::string, std::string>& build_args;
  const Environment& globals;  ///< global_variables() of the build
  const oci::Platform& platform;
  /// The ignore file's patterns; nullptr if the build has none. Called only if a rule asks.
  std::function<const IgnoreList*()> ignore = {};
};

/// What a stage starts from, as far as it is known before it is built.
struct LintBase {
  Environment environment = {};
  bool has_shell = false;    ///< SHELL was set
  bool has_workdir = false;  ///< WORKDIR was given in this file
  std::set<std::string> declared = {};
  std::optional<oci::Platform> pulled = {};  ///< of a base image

  static LintBase of(const oci::ImageConfig& config);
};

/// Runs the checks of one build. Const: usable from several threads.
class Linter {
 public:
  Linter(const LintInput& input, LintSettings settings);

  [[nodiscard]] const LintSettings& settings() const noexcept { return settings_; }

  /// The checks of the file as a whole, every stage included.
  [[nodiscard]] std::vector<LintWarning> check_file() const;

  /// The checks of stage `index`, which starts from `base`. `end`, if given, is set to what a stage
  /// on top of it starts from.
  [[nodiscard]] std::vector<LintWarning> check_stage(std::size_t index, const LintBase& base,
                                                     LintBase* end = nullptr) const;

 private:
  bool skipped_at(const LintRule& rule, const LineRange& lines) const;

  LintInput input_;
  LintSettings settings_;
  std::map<std::size_t, LintSettings> by_line_;  ///< of comments above instructions, by first line
};

/// "Containerfile:3: Rule: message" with the marked excerpt below.
std::string lint_text(const SourceText& source, const LintWarning& warning);

/// Error{invalid_content} "lint violation found for rules: A, B".
Error lint_error(const std::vector<LintWarning>& warnings);

}  // namespace lade::build
