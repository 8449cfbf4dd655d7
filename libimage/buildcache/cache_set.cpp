#include "libimage/buildcache/cache_set.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "libimage/base/text.h"
#include "libimage/base/timestamp.h"
#include "libimage/digest/hasher.h"

namespace lade::buildcache {
namespace {

using oci::CacheChain;
using oci::CacheDocument;
using oci::CacheInput;
using oci::CacheLayer;
using oci::CacheRecord;
using oci::CacheResult;

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// Names a thing by its content: fields with their lengths.
class Identity {
 public:
  Identity& add(std::string_view field) {
    hasher_.update(cat(field.size(), ":"));
    hasher_.update(field);
    return *this;
  }
  [[nodiscard]] std::string str() const { return std::string(hasher_.digest().encoded()); }

 private:
  Hasher hasher_;
};

/// Positions of the layers, parents before their children.
std::vector<std::size_t> parents_first(const std::vector<CacheLayer>& layers) {
  std::vector<bool> listed(layers.size(), false);
  std::vector<std::size_t> order;
  order.reserve(layers.size());
  for (std::size_t start = 0; start < layers.size(); ++start) {
    std::vector<std::size_t> path;
    for (std::optional<std::size_t> at = start; at && !listed[*at]; at = layers[*at].parent) {
      listed[*at] = true;
      path.push_back(*at);
    }
    order.insert(order.end(), path.rbegin(), path.rend());
  }
  return order;
}

template <typename Visit>
void for_each_link(const CacheRecord& record, const Visit& visit) {
  for (const auto& alternatives : record.inputs) {
    for (const CacheInput& input : alternatives) visit(input.link);
  }
}

/// Positions of the records, inputs before what uses them.
std::vector<std::size_t> inputs_first(const std::vector<CacheRecord>& records) {
  std::vector<std::size_t> open(records.size(), 0);
  std::vector<std::vector<std::size_t>> users(records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    for_each_link(records[i], [&](std::size_t link) {
      users[link].push_back(i);
      ++open[i];
    });
  }
  std::vector<std::size_t> order;
  order.reserve(records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (open[i] == 0) order.push_back(i);
  }
  for (std::size_t next = 0; next < order.size(); ++next) {
    for (const std::size_t user : users[order[next]]) {
      if (--open[user] == 0) order.push_back(user);
    }
  }
  return order;
}

bool is_newer(const std::string& a, const std::string& b) {
  const auto left = parse_rfc3339(a);
  const auto right = parse_rfc3339(b);
  if (left && right) return *left > *right;
  return left.has_value();
}

template <typename Result>
void keep_newest(std::vector<Result>& results, Result fresh) {
  const auto same = [&](const Result& other) {
    if constexpr (std::is_same_v<Result, CacheResult>) {
      return other.layer == fresh.layer;
    } else {
      return other.layers == fresh.layers;
    }
  };
  const auto known = std::find_if(results.begin(), results.end(), same);
  if (known == results.end()) {
    results.push_back(std::move(fresh));
  } else if (is_newer(fresh.created_at, known->created_at)) {
    *known = std::move(fresh);
  }
}

class Merger {
 public:
  void add(const CacheSet& set) {
    for (const auto& [digest, blob] : set.blobs) set_.blobs.emplace(digest, blob);
    for (const auto& [name, value] : set.document.unknown)
      set_.document.unknown.emplace(name, value);
    const std::vector<std::size_t> layers = add_layers(set);
    add_records(set.document, layers);
  }

  CacheSet finish() {
    sort_layers();
    sort_records();
    std::set<Digest> used;
    for (const CacheLayer& layer : set_.document.layers) used.insert(layer.blob);
    std::erase_if(set_.blobs, [&](const auto& blob) { return !used.contains(blob.first); });
    return std::move(set_);
  }

 private:
  /// New positions by old ones; kNone for what cannot be had.
  std::vector<std::size_t> add_layers(const CacheSet& set) {
    std::vector<std::size_t> moved(set.document.layers.size(), kNone);
    for (const std::size_t old : parents_first(set.document.layers)) {
      CacheLayer layer = set.document.layers[old];
      if (!set.blobs.contains(layer.blob)) continue;
      std::string parent;
      if (layer.parent) {
        layer.parent = moved[*layer.parent];
        if (*layer.parent == kNone) continue;
        parent = layer_ids_[*layer.parent];
      }
      std::string id = Identity().add(layer.blob.str()).add(parent).str();
      const auto [known, added] = layers_.emplace(id, set_.document.layers.size());
      if (added) {
        set_.document.layers.push_back(std::move(layer));
        layer_ids_.push_back(std::move(id));
      }
      moved[old] = known->second;
    }
    return moved;
  }

  void add_records(const CacheDocument& document, const std::vector<std::size_t>& layers) {
    std::vector<std::size_t> moved(document.records.size(), kNone);
    for (const std::size_t old : inputs_first(document.records)) {
      const CacheRecord& record = document.records[old];
      CacheRecord fresh{.digest = record.digest, .unknown = record.unknown};
      std::string id = add_inputs(record, moved, fresh);
      const auto [known, added] = records_.emplace(id, set_.document.records.size());
      if (added) {
        set_.document.records.push_back(std::move(fresh));
        record_ids_.push_back(std::move(id));
      }
      moved[old] = known->second;
      add_results(record, layers, set_.document.records[known->second]);
    }
  }

  /// Fills the inputs of `fresh` and returns its identity.
  std::string add_inputs(const CacheRecord& record, const std::vector<std::size_t>& moved,
                         CacheRecord& fresh) const {
    Identity id;
    id.add(record.digest.str());
    for (const auto& alternatives : record.inputs) {
      std::map<std::pair<std::string, std::string>, CacheInput> sorted;
      for (CacheInput input : alternatives) {
        input.link = moved[input.link];
        sorted.emplace(std::pair(input.selector, record_ids_[input.link]), std::move(input));
      }
      fresh.inputs.emplace_back();
      id.add(cat(sorted.size()));
      for (auto& [key, input] : sorted) {
        id.add(key.first).add(key.second);
        fresh.inputs.back().push_back(std::move(input));
      }
    }
    return id.str();
  }

  static void add_results(const CacheRecord& record, const std::vector<std::size_t>& layers,
                          CacheRecord& to) {
    for (CacheResult result : record.results) {
      result.layer = layers[result.layer];
      if (result.layer != kNone) keep_newest(to.results, std::move(result));
    }
    for (CacheChain chain : record.chains) {
      for (std::size_t& layer : chain.layers) layer = layers[layer];
      if (std::find(chain.layers.begin(), chain.layers.end(), kNone) == chain.layers.end())
        keep_newest(to.chains, std::move(chain));
    }
  }

  /// The new position of each, once they are sorted by `less`, which takes old positions.
  template <typename Item, typename Less>
  static std::vector<std::size_t> reorder(std::vector<Item>& items, const Less& less) {
    std::vector<std::size_t> order(items.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), less);
    std::vector<std::size_t> position(items.size());
    std::vector<Item> sorted;
    sorted.reserve(items.size());
    for (const std::size_t old : order) {
      position[old] = sorted.size();
      sorted.push_back(std::move(items[old]));
    }
    items = std::move(sorted);
    return position;
  }

  void sort_layers() {
    std::vector<CacheLayer>& layers = set_.document.layers;
    const auto position = reorder(layers, [&](std::size_t a, std::size_t b) {
      return std::tie(layers[a].blob, layer_ids_[a]) < std::tie(layers[b].blob, layer_ids_[b]);
    });
    for (CacheLayer& layer : layers) {
      if (layer.parent) layer.parent = position[*layer.parent];
    }
    for (CacheRecord& record : set_.document.records) {
      for (CacheResult& result : record.results) result.layer = position[result.layer];
      for (CacheChain& chain : record.chains) {
        for (std::size_t& layer : chain.layers) layer = position[layer];
      }
      std::sort(record.results.begin(), record.results.end(),
                [](const auto& a, const auto& b) { return a.layer < b.layer; });
      std::sort(record.chains.begin(), record.chains.end(),
                [](const auto& a, const auto& b) { return a.layers < b.layers; });
    }
  }

  void sort_records() {
    std::vector<CacheRecord>& records = set_.document.records;
    const auto position = reorder(records, [&](std::size_t a, std::size_t b) {
      return std::tie(records[a].digest, record_ids_[a]) <
             std::tie(records[b].digest, record_ids_[b]);
    });
    for (CacheRecord& record : records) {
      for (auto& alternatives : record.inputs) {
        for (CacheInput& input : alternatives) input.link = position[input.link];
      }
    }
  }

  CacheSet set_;
  std::vector<std::string> layer_ids_;
  std::vector<std::string> record_ids_;
  std::map<std::string, std::size_t> layers_;
  std::map<std::string, std::size_t> records_;
};

/// When the record was last of use: when its result was made, or that of its inputs if it has none,
/// or of what needs it.
std::vector<Timestamp> times_of_use(const std::vector<CacheRecord>& records,
                                    const std::vector<std::size_t>& order) {
  std::vector<Timestamp> times(records.size());
  const auto at_least = [&](std::size_t record, const Timestamp& time) {
    times[record] = std::max(times[record], time);
  };
  const auto add = [&](std::size_t record, const std::string& created_at) {
    if (const auto time = parse_rfc3339(created_at)) at_least(record, *time);
  };
  for (const std::size_t i : order) {
    for (const CacheResult& result : records[i].results) add(i, result.created_at);
    for (const CacheChain& chain : records[i].chains) add(i, chain.created_at);
    if (records[i].results.empty() && records[i].chains.empty())
      for_each_link(records[i], [&](std::size_t link) { at_least(i, times[link]); });
  }
  for (auto i = order.rbegin(); i != order.rend(); ++i)
    for_each_link(records[*i], [&](std::size_t link) { at_least(link, times[*i]); });
  return times;
}

/// The set without the records that are marked.
CacheSet without(const CacheSet& set, const std::vector<bool>& dropped_records) {
  CacheSet left{.document = {.layers = set.document.layers, .unknown = set.document.unknown},
                .blobs = set.blobs};
  std::vector<std::size_t> position(set.document.records.size(), kNone);
  for (std::size_t i = 0; i < position.size(); ++i) {
    if (dropped_records[i]) continue;
    position[i] = left.document.records.size();
    left.document.records.push_back(set.document.records[i]);
  }
  for (CacheRecord& record : left.document.records) {
    for (auto& alternatives : record.inputs) {
      for (CacheInput& input : alternatives) input.link = position[input.link];
    }
  }
  return left;
}

/// Layers that no result needs are left out.
void drop_unused_layers(CacheSet& set) {
  std::vector<CacheLayer>& layers = set.document.layers;
  std::vector<bool> used(layers.size(), false);
  const auto use = [&](std::size_t layer) {
    for (std::optional<std::size_t> at = layer; at && !used[*at]; at = layers[*at].parent)
      used[*at] = true;
  };
  for (const CacheRecord& record : set.document.records) {
    for (const CacheResult& result : record.results) use(result.layer);
    for (const CacheChain& chain : record.chains)
      std::for_each(chain.layers.begin(), chain.layers.end(), use);
  }
  std::set<Digest> blobs;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (used[i]) blobs.insert(layers[i].blob);
  }
  // A blob in use may also be a layer that is not: it goes by losing its place, not its blob.
  std::vector<std::size_t> position(layers.size(), kNone);
  std::vector<CacheLayer> left;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (!used[i]) continue;
    position[i] = left.size();
    left.push_back(layers[i]);
  }
  for (CacheLayer& layer : left) {
    if (layer.parent) layer.parent = position[*layer.parent];
  }
  layers = std::move(left);
  for (CacheRecord& record : set.document.records) {
    for (CacheResult& result : record.results) result.layer = position[result.layer];
    for (CacheChain& chain : record.chains) {
      for (std::size_t& layer : chain.layers) layer = position[layer];
    }
  }
  std::erase_if(set.blobs, [&](const auto& blob) { return !blobs.contains(blob.first); });
}

std::size_t size_of(const CacheRecord& record) {
  return oci::serialise(std::vector<CacheRecord>{record}).size();
}

}  // namespace

CacheSet merged(const CacheSet& a, const CacheSet& b) {
  Merger merger;
  merger.add(a);
  merger.add(b);
  return merger.finish();
}

std::size_t drop_oldest(CacheSet& set, const CacheLimits& limits, const std::set<Digest>& keep) {
  const auto fits = [&] {
    return set.blobs.size() <= limits.blobs && oci::serialise(set.document).size() <= limits.bytes;
  };
  std::size_t total = 0;
  while (!fits()) {
    const std::vector<CacheRecord>& records = set.document.records;
    const std::vector<std::size_t> order = inputs_first(records);
    const std::vector<Timestamp> times = times_of_use(records, order);
    // Of equal age, what uses others goes before what it uses.
    std::vector<std::size_t> oldest(order.rbegin(), order.rend());
    std::stable_sort(oldest.begin(), oldest.end(),
                     [&](std::size_t a, std::size_t b) { return times[a] < times[b]; });
    std::vector<bool> kept(records.size(), false);
    for (auto i = order.rbegin(); i != order.rend(); ++i) {
      if (keep.contains(records[*i].digest)) kept[*i] = true;
      if (kept[*i]) for_each_link(records[*i], [&](std::size_t link) { kept[link] = true; });
    }
    // Roughly what is too much, at least a sixteenth: then it is counted again.
    const std::size_t bytes = oci::serialise(set.document).size();
    std::size_t excess = bytes > limits.bytes ? bytes - limits.bytes : 0;
    std::size_t count = records.size() / 16 + 1;
    std::vector<bool> dropped(records.size(), false);
    std::size_t now = 0;
    for (const std::size_t i : oldest) {
      if (kept[i]) continue;
      if (now >= count && excess == 0) break;
      dropped[i] = true;
      ++now;
      excess -= std::min(excess, size_of(records[i]));
    }
    if (now == 0) break;
    total += now;
    set = without(set, dropped);
    drop_unused_layers(set);
  }
  return total;
}

void drop_blobs(CacheSet& set, const std::set<Digest>& gone) {
  for (const Digest& blob : gone) set.blobs.erase(blob);
  Merger merger;
  merger.add(set);
  set = merger.finish();
}

}  // namespace lade::buildcache
