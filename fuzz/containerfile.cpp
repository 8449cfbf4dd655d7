// Any text is parsed or refused with a place, and what its words expand to is bounded.
#include "libimage/build/containerfile.h"

#include <optional>

#include "libimage/base/error.h"
#include "libimage/build/stage_graph.h"
#include "libimage/build/word.h"
#include "libimage/name/platform.h"

#include "fuzz/property.h"

using namespace lade;

namespace {

/// Every line's arguments as a word: quotes, escapes and modifiers nest in any way.
void expand_all(const build::Containerfile& file) {
  const build::Expander expander(
      [](std::string_view name) -> std::optional<std::string> {
        if (name == "empty") return "";
        if (name.starts_with("u")) return std::nullopt;
        return "a/value.of*it";
      },
      file.escape);
  for (const build::StageSource& stage : file.stages) {
    for (const auto& instruction : stage.instructions) {
      try {
        const std::string word = expander.word(instruction->line().arguments);
        fuzz::require(word.size() <= build::kMaxExpandedBytes);
        for (const std::string& part : expander.words(instruction->line().arguments))
          fuzz::require(part.size() <= build::kMaxExpandedBytes);
      } catch (const Error&) {  // refused: fine
      }
      fuzz::require(instruction->line().lines.first <= instruction->line().lines.last);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const build::Containerfile file =
        build::parse_containerfile("Containerfile", std::string(fuzz::text_of(data, size)));
    fuzz::require(!file.stages.empty());
    expand_all(file);
    const build::StageGraph graph =
        build::stage_graph(file, "", {{.platform = parse_platform("linux/amd64")}});
    fuzz::require(graph.stages.back().index == file.stages.size() - 1);
  } catch (const Error& e) {
    fuzz::require(std::string_view(e.what()).starts_with("Containerfile:"));
  }
  return 0;
}
