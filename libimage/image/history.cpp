#include "libimage/image/history.h"

#include <algorithm>

#include "libimage/base/text.h"
#include "libimage/image/tree_text.h"

namespace lade::image {

std::vector<HistoryLine> history_of(const std::vector<oci::HistoryEntry>& history,
                                    const std::vector<oci::Descriptor>& layers) {
  const auto makers = std::count_if(history.begin(), history.end(),
                                    [](const auto& entry) { return !entry.empty_layer; });
  const bool agree = static_cast<std::size_t>(makers) == layers.size();
  std::vector<HistoryLine> lines;
  std::size_t next = 0;
  for (const oci::HistoryEntry& entry : history) {
    lines.push_back({.entry = entry});
    if (agree && !entry.empty_layer) lines.back().layer = layers[next++];
  }
  while (next < layers.size()) lines.push_back({.layer = layers[next++]});
  return lines;
}

std::string instruction_of(std::string_view created_by) {
  constexpr std::string_view kShell = "/bin/sh -c ";
  constexpr std::string_view kNop = "#(nop) ";
  constexpr std::string_view kRun = "RUN ";
  constexpr std::string_view kBuildKit = " # buildkit";
  if (created_by.ends_with(kBuildKit)) created_by.remove_suffix(kBuildKit.size());
  std::string_view command = created_by;
  if (command.starts_with(kRun)) command.remove_prefix(kRun.size());
  if (command.starts_with('|')) {  // "|1 ARG=value /bin/sh -c ...": build arguments come first
    const std::size_t shell = command.find(kShell);
    if (shell != std::string_view::npos) command.remove_prefix(shell);
  }
  if (!command.starts_with(kShell)) return shown(created_by);
  command.remove_prefix(kShell.size());
  if (command.starts_with(kNop)) return shown(command.substr(kNop.size()));
  return cat(kRun, shown(command));
}

}  // namespace lade::image
