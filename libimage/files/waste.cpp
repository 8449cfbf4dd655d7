#include "libimage/files/waste.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::files {
namespace {

/// Follows each content through the layers: wasted is what no name shows any more.
class WasteCounter final : public MergeObserver {
 public:
  WasteCounter(ImageFiles& image, Waste& out) : image_(image), out_(out) {
    for (std::size_t i = 0; i < image.layers(); ++i)
      names_.emplace_back(image.layer(i).rows.size());
  }

  void shown(PathId /*path*/, RowRef content) override { ++names_[content.layer][content.row]; }

  void hidden(PathId path, RowRef content, std::uint32_t layer, Why /*why*/) override {
    if (--names_[content.layer][content.row] != 0) return;
    const FileRow& row = image_.layer(content.layer).rows[content.row];
    if (row.kind != FileKind::regular) return;
    Waste::Layer& lower = out_.layers[content.layer];
    lower.wasted += row.size;
    lower.wasted_stored += stored_bytes(content);
    out_.layers[layer].hides += row.size;
    if (row.size == 0) return;
    Hidden& hidden = by_path_[path];
    hidden.bytes += row.size;
    ++hidden.copies;
  }

  void list_worst(const MergedFiles& files, std::size_t limit) {
    std::vector<std::pair<std::uint64_t, PathId>> order;
    order.reserve(by_path_.size());
    for (const auto& [path, hidden] : by_path_) order.emplace_back(hidden.bytes, path);
    const std::size_t count = std::min(limit, order.size());
    const PathTable& paths = files.pool().paths;
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count),
                      order.end(), [&](const auto& a, const auto& b) {
                        if (a.first != b.first) return a.first > b.first;
                        return paths.path(a.second) < paths.path(b.second);
                      });
    for (std::size_t i = 0; i < count; ++i) {
      const PathId path = order[i].second;
      out_.files.push_back({.path = paths.path(path),
                            .wasted = order[i].first,
                            .copies = by_path_[path].copies,
                            .remains = files.ref_at(path).exists()});
    }
  }

 private:
  struct Hidden {
    std::uint64_t bytes = 0;
    std::uint32_t copies = 0;
  };

  /// What the file takes of the blob, where a table says it.
  std::uint64_t stored_bytes(RowRef content) {
    const LayerFiles& layer = image_.layer(content.layer);
    if (!layer.table) return 0;
    std::uint64_t bytes = 0;
    for (const TableChunk& chunk :
         layer.table->entries[static_cast<std::size_t>(layer.rows[content.row].place)].chunks) {
      if (chunk.inner_offset == 0 && !chunk.zeros) bytes += chunk.stored.size;
    }
    return bytes;
  }

  ImageFiles& image_;
  Waste& out_;
  std::vector<std::vector<std::uint32_t>> names_;  // of each content, by layer and row
  std::unordered_map<PathId, Hidden> by_path_;
};

/// dive's way of counting, layer by layer: `files` shows what lies below the layer.
class DiveCounter {
 public:
  void add(const LayerFiles& layer, const MergedFiles& files, bool base) {
    for (const FileRow& row : layer.rows) {
      if (row.kind == FileKind::regular) {
        see(row.path, row.size);
        if (!base) user_ += row.size;
      } else if (row.kind == FileKind::whiteout) {
        see(row.path, removed(row.path, files));
      }
    }
  }

  [[nodiscard]] Waste::Dive figures() const {
    Waste::Dive out;
    std::uint64_t smallest = 0;
    std::uint64_t all = 0;
    for (const Seen& seen : seen_) {
      if (seen.count == 0) continue;
      smallest += seen.smallest;
      all += seen.all;
      if (seen.count > 1) out.wasted_bytes += seen.all;
    }
    if (all != 0) out.score = static_cast<double>(smallest) / static_cast<double>(all);
    if (user_ != 0) {
      out.user_wasted_percent = static_cast<double>(out.wasted_bytes) / static_cast<double>(user_);
    }
    return out;
  }

 private:
  struct Seen {
    std::uint64_t smallest = 0;
    std::uint64_t all = 0;
    std::uint32_t count = 0;
  };

  void see(PathId path, std::uint64_t size) {
    if (seen_.size() <= path) seen_.resize(path + 1);
    Seen& seen = seen_[path];
    seen.smallest = seen.count == 0 ? size : std::min(seen.smallest, size);
    seen.all += size;
    ++seen.count;
  }

  /// A removed file has size 0, a removed directory that of its content.
  static std::uint64_t removed(PathId path, const MergedFiles& files) {
    const FileRow* const row = files.at(path);
    if (row == nullptr || row->kind != FileKind::directory) return 0;
    std::uint64_t bytes = 0;
    files.walk(path, [&](PathId below) {
      const FileRow& file = *files.at(below);
      if (file.kind == FileKind::regular) bytes += file.size;
      return true;
    });
    return bytes;
  }

  std::vector<Seen> seen_;
  std::uint64_t user_ = 0;
};

void find_duplicates(const MergedFiles& files, const WasteOptions& options, Waste& out) {
  struct Copy {
    const FilePool::Sha256* digest;
    PathId path;
  };
  const FilePool& pool = files.pool();
  std::vector<Copy> copies;
  files.walk(kRoot, [&](PathId path) {
    const FileRow& row = *files.at(path);
    if (row.kind == FileKind::regular && row.size != 0 && row.digest != 0) {
      copies.push_back({&pool.digest(row.digest), path});
    }
    return true;
  });
  std::stable_sort(copies.begin(), copies.end(),
                   [](const Copy& a, const Copy& b) { return *a.digest < *b.digest; });
  std::vector<std::pair<std::size_t, std::size_t>> groups;
  const auto excess_of = [&](const auto& group) {
    std::uint64_t contents = 0;
    RowRef last;
    bool layers = false;
    const RowRef first = files.ref_at(copies[group.first].path);
    for (std::size_t i = group.first; i < group.second; ++i) {
      const RowRef ref = files.ref_at(copies[i].path);
      if (ref == last) continue;  // another name of the same content
      last = ref;
      ++contents;
      layers = layers || ref.layer != first.layer;
    }
    return layers ? (contents - 1) * files.at(copies[group.first].path)->size : 0;
  };
  for (std::size_t begin = 0; begin < copies.size();) {
    std::size_t end = begin + 1;
    while (end < copies.size() && *copies[end].digest == *copies[begin].digest) ++end;
    const std::pair group(begin, end);
    begin = end;
    if (group.second - group.first < 2) continue;
    const auto from = copies.begin() + static_cast<std::ptrdiff_t>(group.first);
    std::sort(from, copies.begin() + static_cast<std::ptrdiff_t>(group.second),
              [&](const Copy& a, const Copy& b) {
                const RowRef left = files.ref_at(a.path);
                const RowRef right = files.ref_at(b.path);
                return std::pair(left.layer, left.row) < std::pair(right.layer, right.row);
              });
    const std::uint64_t excess = excess_of(group);
    if (excess == 0) continue;
    out.duplicated += excess;
    groups.push_back(group);
  }
  const std::size_t count = std::min(options.max_duplicates, groups.size());
  std::partial_sort(groups.begin(), groups.begin() + static_cast<std::ptrdiff_t>(count),
                    groups.end(),
                    [&](const auto& a, const auto& b) { return excess_of(a) > excess_of(b); });
  groups.resize(count);
  for (const auto& group : groups) {
    Waste::Duplicate duplicate{.size = files.at(copies[group.first].path)->size,
                               .digest = cat("sha256:", hex_of(*copies[group.first].digest))};
    RowRef last;
    for (std::size_t i = group.first; i < group.second; ++i) {
      const RowRef ref = files.ref_at(copies[i].path);
      if (ref != last) duplicate.paths.push_back(pool.paths.path(copies[i].path));
      last = ref;
    }
    out.duplicates.push_back(std::move(duplicate));
  }
}

void add_up(ImageFiles& image, Waste& out) {
  for (std::size_t i = 0; i < out.layers.size(); ++i) {
    Waste::Layer& layer = out.layers[i];
    if (!image.layer(i).table && layer.content != 0) {
      layer.wasted_stored = static_cast<std::uint64_t>(
          std::llround(static_cast<double>(layer.stored) * static_cast<double>(layer.wasted) /
                       static_cast<double>(layer.content)));
    }
    out.content += layer.content;
    out.wasted += layer.wasted;
    out.stored += layer.stored;
    out.wasted_stored += layer.wasted_stored;
  }
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size() || !std::isfinite(value) ||
      value < 0) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

std::vector<std::string> layer_history(const oci::ImageConfig& config, std::size_t layers) {
  std::vector<std::string> lines;
  for (const oci::HistoryEntry& entry : config.history) {
    if (!entry.empty_layer) lines.push_back(entry.created_by);
  }
  if (lines.size() != layers) lines.assign(layers, "");
  return lines;
}

Waste find_waste(ImageFiles& image, const oci::ImageConfig& config, const WasteOptions& options) {
  Waste out;
  const std::vector<std::string> history = layer_history(config, image.layers());
  for (std::size_t i = image.layers(); i-- > 0;) (void)image.layer(i);
  for (std::size_t i = 0; i < image.layers(); ++i) {
    out.layers.push_back({.content = image.layer(i).content_bytes,
                          .stored = image.descriptor(i).size,
                          .digest = image.descriptor(i).digest.str(),
                          .created_by = history[i]});
  }
  WasteCounter waste(image, out);
  DiveCounter dive;
  MergedFiles files(image.pool());
  for (std::size_t i = 0; i < image.layers(); ++i) {
    dive.add(image.layer(i), files, i == 0);
    files.add(image.layer(i), static_cast<std::uint32_t>(i), &waste);
  }
  add_up(image, out);
  waste.list_worst(files, options.max_files);
  find_duplicates(files, options, out);
  out.dive = dive.figures();
  return out;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::size_t digits = 0;
  while (digits < text.size() &&
         ((text[digits] >= '0' && text[digits] <= '9') || text[digits] == '.')) {
    ++digits;
  }
  const std::optional<double> number = parse_number(text.substr(0, digits));
  const std::string unit = lower_case(trimmed(text.substr(digits)));
  if (!number) return std::nullopt;
  double factor = 1;
  if (!unit.empty() && unit != "b") {
    const std::size_t power = std::string_view("kmgt").find(unit[0]);
    const std::string_view rest = std::string_view(unit).substr(1);
    if (power == std::string_view::npos || (rest != "" && rest != "b" && rest != "ib")) {
      return std::nullopt;
    }
    factor = std::pow(rest == "ib" ? 1024.0 : 1000.0, static_cast<double>(power + 1));
  }
  const double bytes = *number * factor;
  constexpr double kMost = 9e18;
  if (bytes > kMost) return std::nullopt;
  return static_cast<std::uint64_t>(std::llround(bytes));
}

std::optional<double> parse_fraction(std::string_view text) {
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  std::optional<double> value = parse_number(text);
  if (value && percent) *value /= 100;
  if (!value || *value > 1) return std::nullopt;
  return value;
}

DiveRules parse_dive_rules(std::string_view text) {
  DiveRules rules;
  std::size_t number = 0;
  for (const std::string_view whole : split(text, '\n')) {
    ++number;
    std::string_view line = trimmed(whole.substr(0, std::min(whole.find(" #"), whole.size())));
    if (line.empty() || line.starts_with('#') || line == "---" || line == "rules:") continue;
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, std::min(colon, line.size()));
    std::string_view value =
        colon == std::string_view::npos ? std::string_view() : trimmed(line.substr(colon + 1));
    if (value.size() > 1 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0]) {
      value = value.substr(1, value.size() - 2);
    }
    const bool disabled = value == "disabled";
    bool good = true;
    if (name == "lowestEfficiency") {
      rules.lowest_efficiency = parse_fraction(value);
      good = rules.lowest_efficiency.has_value();
    } else if (name == "highestWastedBytes") {
      rules.highest_wasted_bytes = parse_size(value);
      good = rules.highest_wasted_bytes.has_value();
    } else if (name == "highestUserWastedPercent") {
      rules.highest_user_wasted_percent = parse_fraction(value);
      good = rules.highest_user_wasted_percent.has_value();
    } else {
      throw Error(Errc::invalid_content, cat("line ", number, ": unknown rule ", quoted(name)));
    }
    if (!good && !disabled) {
      throw Error(Errc::invalid_content,
                  cat("line ", number, ": ", quoted(value), " is no value for ", name));
    }
  }
  return rules;
}

}  // namespace lade::files
