// Any Containerfile that parses is checked and outlined without an error of another kind, and every
// finding has a rule, a message and lines of the file.
#include "libimage/build/lint.h"

#include <algorithm>

#include "libimage/build/globals.h"
#include "libimage/build/outline.h"
#include "libimage/name/platform.h"

#include "fuzz/property.h"

using namespace lade;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(fuzz::text_of(data, size));
  const oci::Platform platform = parse_platform("linux/amd64");
  try {
    const build::Containerfile file = build::parse_containerfile("Containerfile", text);
    const std::map<std::string, std::string> arguments = {{"given", "value"}};
    const build::Environment globals = build::global_variables(file, arguments, "", platform);
    const build::IgnoreList ignore = build::IgnoreList::parse("ignored\n*.log\n");
    const build::Linter linter({.file = file,
                                .build_args = arguments,
                                .globals = globals,
                                .platform = platform,
                                .ignore = [&] { return &ignore; }},
                               build::lint_settings(file, arguments));
    std::vector<build::LintWarning> found = linter.check_file();
    for (std::size_t i = 0; i < file.stages.size(); ++i) {
      build::LintBase end;
      for (build::LintWarning& warning : linter.check_stage(i, {}, &end))
        found.push_back(std::move(warning));
      (void)linter.check_stage(i, end);
    }
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    for (const build::LintWarning& warning : found) {
      fuzz::require(warning.rule != nullptr && !warning.detail.empty());
      fuzz::require(warning.lines.first >= 1 && warning.lines.first <= warning.lines.last);
      fuzz::require(warning.lines.last <= lines);
      (void)build::lint_text(*file.source, warning);
    }
    (void)build::outline_build({.containerfile_text = text});
    (void)build::list_targets({.containerfile_text = text});
  } catch (const Error& e) {
    fuzz::require(std::string_view(e.what()).starts_with("Containerfile:"));
  }
  return 0;
}
