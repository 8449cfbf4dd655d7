#include "libimage/buildcache/cache_exchange.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "libimage/base/base64.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/layout.h"
#include "libimage/store/layout_store.h"

namespace lade::buildcache {
namespace {

constexpr std::string_view kSha256 = "sha256:";
/// Records that share a result with one that was found are other names of it.
constexpr std::size_t kMaxAliases = 16;

Digest digest_of(const std::string& key) { return Digest::parse(cat(kSha256, key)); }

/// How many layers each stack has.
std::vector<std::size_t> depths_of(const std::vector<oci::CacheLayer>& layers) {
  std::vector<std::size_t> depths(layers.size(), 0);
  std::vector<std::size_t> path;
  for (std::size_t start = 0; start < layers.size(); ++start) {
    for (std::optional<std::size_t> at = start; at && depths[*at] == 0; at = layers[*at].parent)
      path.push_back(*at);
    for (; !path.empty(); path.pop_back()) {
      const auto& parent = layers[path.back()].parent;
      depths[path.back()] = parent ? depths[*parent] + 1 : 1;
    }
  }
  return depths;
}

}  // namespace

OpenedCache open_local_cache(const CacheFrom& from) {
  auto layout = std::make_shared<LayoutStore>(from.place, LayoutOptions{});
  std::optional<oci::Descriptor> root;
  if (!from.digest.empty()) {
    root = layout->resolve(Digest::parse(from.digest));
  } else {
    root = layout->resolve(Tag{from.tag.empty() ? "latest" : from.tag});
    const auto entries = layout->entries();
    if (!root && from.tag.empty() && entries.size() == 1) root = entries.front();
  }
  if (!root)
    throw Error(
        Errc::not_found,
        cat("directory ", quoted(from.place), " has no cache ",
            from.digest.empty() ? quoted(from.tag.empty() ? "latest" : from.tag) : from.digest));
  return {.reader = std::move(layout), .root = std::move(*root)};
}

/// A source, read at its first use.
struct CacheExchange::Source {
  struct Result {
    std::size_t top = 0;  ///< position in set.document.layers
    std::size_t depth = 0;
    std::string created_at = {};
  };

  CacheSource from;
  std::once_flag loaded = {};
  std::shared_ptr<Reader> reader = nullptr;
  CacheSet set = {};
  std::unordered_map<std::string, std::vector<Result>> results = {};    ///< by key
  std::unordered_map<std::size_t, std::vector<std::string>> keys = {};  ///< by top layer
  std::set<std::string> known = {};                                     ///< keys of all records
  std::mutex mutex = {};
  bool lost = false;                                      // guarded by mutex
  std::map<Digest, std::set<std::string>> promised = {};  // guarded by mutex: keys by blob
  std::map<std::string, std::string> created = {};        // guarded by mutex: of what was found
  std::map<std::string, std::size_t> found_at = {};       // guarded by mutex: and its top layer

  void load() {
    OpenedCache opened = from.open();
    ReadCache read = read_cache(*opened.reader, opened.root);
    if (read.set.document.records.empty())
      throw Error(Errc::not_found, read.form ? "it is empty" : "the image has no build cache");
    reader = std::move(opened.reader);
    set = std::move(read.set);
    index_records();
  }

  void index_records() {
    const std::vector<std::size_t> depths = depths_of(set.document.layers);
    for (const oci::CacheRecord& record : set.document.records) {
      if (record.digest.algorithm() != "sha256") continue;
      const std::string key(record.digest.encoded());
      known.insert(key);
      const bool root = std::all_of(record.inputs.begin(), record.inputs.end(),
                                    [](const auto& links) { return links.empty(); });
      if (!root) continue;  // its digest alone does not say what it is
      std::vector<Result>& found = results[key];
      for (const oci::CacheResult& result : record.results)
        found.push_back({result.layer, depths[result.layer], result.created_at});
      for (const oci::CacheChain& chain : record.chains) {
        if (!chain.layers.empty())
          found.push_back({chain.layers.back(), chain.layers.size(), chain.created_at});
      }
      for (const Result& result : found) {
        std::vector<std::string>& names = keys[result.top];
        if (names.size() < kMaxAliases) names.push_back(key);
      }
    }
  }

  [[nodiscard]] const oci::Descriptor* blob_of(std::size_t layer) const {
    const auto found = set.blobs.find(set.document.layers[layer].blob);
    return found == set.blobs.end() ? nullptr : &found->second;
  }
};

CacheExchange::CacheExchange(LocalStore& store, ExchangeOptions options, ProgressObserver& observer)
    : store_(store), options_(std::move(options)), observer_(observer) {
  for (CacheSource& source : options_.sources) {
    sources_.push_back(std::make_unique<Source>());
    sources_.back()->from = std::move(source);
  }
}

CacheExchange::~CacheExchange() = default;

void CacheExchange::warn(std::string note) {
  observer_.notify({.kind = ProgressEvent::Kind::warning, .note = std::move(note)});
}

bool CacheExchange::ready(Source& source) {
  std::call_once(source.loaded, [&] {
    try {
      source.load();
    } catch (const Error& e) {
      warn(cat("cache from ", printable(source.from.name), " is not used: ", e.what()));
    }
  });
  const std::scoped_lock lock(source.mutex);
  return !source.lost;
}

std::optional<StepResult> CacheExchange::find_in(Source& source, const std::string& key,
                                                 std::size_t depth) {
  const auto known = source.results.find(key);
  if (known == source.results.end()) return std::nullopt;
  const Source::Result* best = nullptr;
  std::optional<Timestamp> newest;
  for (const Source::Result& result : known->second) {
    if (result.depth != depth && result.depth != depth + 1) continue;
    const auto time = parse_rfc3339(result.created_at);
    if (options_.not_before && (!time || *time < *options_.not_before)) continue;
    if (best != nullptr && (!time || (newest && *time <= *newest))) continue;
    best = &result;
    newest = time;
  }
  if (best == nullptr) return std::nullopt;
  StepResult found{.key = key};
  if (best->depth == depth + 1) {
    const oci::Descriptor* blob = source.blob_of(best->top);
    if (blob == nullptr || !oci::is_layer(blob->media_type)) return std::nullopt;
    const auto diff_id = Digest::try_parse(blob->annotation(std::string(oci::kDiffIdAnnotation)));
    if (!diff_id) return std::nullopt;
    found.layer =
        oci::Descriptor{.media_type = blob->media_type, .digest = blob->digest, .size = blob->size};
    found.diff_id = DiffId{*diff_id};
  }
  const std::scoped_lock lock(source.mutex);
  source.created[key] = best->created_at;
  for (const std::string& alias : source.keys[best->top]) source.created[alias] = best->created_at;
  source.found_at[key] = best->top;
  if (found.layer) {  // even if it is here: its diff ID is what the source says
    source.promised[found.layer->digest].insert(key);
    store_.promise(*found.layer, source.reader);
  }
  return found;
}

std::optional<StepResult> CacheExchange::find(const std::string& key, std::size_t depth) {
  for (const auto& source : sources_) {
    if (!ready(*source)) continue;
    if (auto found = find_in(*source, key, depth)) return found;
  }
  return std::nullopt;
}

bool CacheExchange::is_marked(const std::string& key) {
  return std::any_of(sources_.begin(), sources_.end(), [&](const auto& source) {
    return ready(*source) && source->known.contains(key);
  });
}

bool CacheExchange::lost_layers() {
  bool any = false;
  for (const auto& source : sources_) {
    const std::scoped_lock lock(source->mutex);
    for (const auto& [blob, keys] : source->promised) {
      if (!store_.promise_is_broken(blob)) continue;
      if (!source->lost)
        warn(cat("cache from ", printable(source->from.name), " is not used any more: layer ",
                 blob.brief(), " could not be had"));
      source->lost = true;
      any = true;
    }
    if (!source->lost) continue;
    for (const auto& [blob, keys] : source->promised) {
      for (const std::string& key : keys) store_.remove_step(key);
    }
    source->promised.clear();
  }
  if (any) {
    const std::scoped_lock lock(mutex_);
    steps_.clear();
    by_key_.clear();
    results_.clear();
  }
  return any;
}

std::size_t CacheExchange::add_layer(const RootFsLayer& layer,
                                     const std::optional<std::size_t>& parent,
                                     const ChainId& chain) {
  const auto [known, added] = by_chain_.emplace(chain, layers_.size());
  if (added)
    // Without its source, which ends with the build.
    layers_.push_back({.layer = {.blob = layer.blob, .diff_id = layer.diff_id},
                       .parent = parent,
                       .depth = parent ? layers_[*parent].depth + 1 : 1});
  return known->second;
}

std::optional<std::size_t> CacheExchange::add_layers(const RootFs& root) {
  const auto chain = root.chain();
  if (!chain) return std::nullopt;
  if (const auto known = by_chain_.find(*chain); known != by_chain_.end()) return known->second;
  const auto below = root.chain_below();
  if (!below) return add_layer(root.top(), std::nullopt, *chain);
  if (const auto known = by_chain_.find(*below); known != by_chain_.end())
    return add_layer(root.top(), known->second, *chain);
  std::optional<std::size_t> top;
  std::optional<ChainId> at;
  for (const RootFsLayer& layer : root.layers()) {
    at = chain_id(at, layer.diff_id);
    top = add_layer(layer, top, *at);
  }
  return top;
}

void CacheExchange::add_step(const std::string& key, std::size_t layer,
                             const std::vector<std::string>& marks) {
  const auto [known, added] = by_key_.emplace(key, steps_.size());
  if (added) steps_.push_back({.key = key, .layer = layer, .created_at = created_at_of(key)});
  steps_[known->second].marks.insert(marks.begin(), marks.end());
}

std::string CacheExchange::created_at_of(const std::string& key) const {
  for (const auto& source : sources_) {
    const std::scoped_lock lock(source->mutex);
    if (const auto found = source->created.find(key); found != source->created.end())
      return found->second;
  }
  return options_.created_at;
}

void CacheExchange::record(const StepDone& step) {
  const std::scoped_lock lock(mutex_);
  const std::optional<std::size_t> top = add_layers(*step.root);
  if (!top) return;  // an empty tree is no result in this format
  add_step(step.key, *top, step.marks);
  for (const std::string& alias : step.aliases) add_step(alias, *top, step.marks);
  for (const auto& source : sources_) {  // other names of what was found there
    std::vector<std::string> names;
    {
      const std::scoped_lock source_lock(source->mutex);
      const auto found = source->found_at.find(step.key);
      if (found != source->found_at.end()) names = source->keys[found->second];
    }
    for (const std::string& name : names) add_step(name, *top, {});
  }
}

void CacheExchange::add_result(const RootFs& root) {
  const std::scoped_lock lock(mutex_);
  if (const auto top = add_layers(root)) results_.insert(*top);
}

std::set<std::size_t> CacheExchange::layers_below(const std::set<std::size_t>& tops) const {
  std::set<std::size_t> found;
  for (const std::size_t top : tops) {
    for (std::optional<std::size_t> at = top; at && found.insert(*at).second;)
      at = layers_[*at].parent;
  }
  return found;
}

std::vector<oci::CacheRecord> CacheExchange::records_of(
    const std::map<std::size_t, std::size_t>& positions) const {
  std::vector<oci::CacheRecord> records;
  for (const Step& step : steps_) {
    const auto position = positions.find(step.layer);
    if (position == positions.end()) continue;
    const std::size_t link = records.size();
    records.push_back({.digest = digest_of(step.key),
                       .results = {{.layer = position->second, .created_at = step.created_at}}});
    for (const std::string& mark : step.marks)
      records.push_back({.digest = digest_of(mark), .inputs = {{{.link = link}}}});
  }
  return records;
}

CacheSet CacheExchange::collected(CacheMode mode) const {
  const std::scoped_lock lock(mutex_);
  std::set<std::size_t> wanted;
  if (mode == CacheMode::min) {
    wanted = layers_below(results_);
  } else {
    for (const Step& step : steps_) wanted.insert(step.layer);
    wanted = layers_below(wanted);
  }
  CacheSet set;
  std::map<std::size_t, std::size_t> positions;
  for (const std::size_t i : wanted) {  // a parent has the lower number
    const Layer& layer = layers_[i];
    positions[i] = set.document.layers.size();
    set.document.layers.push_back({.blob = layer.layer.blob.digest});
    if (layer.parent) set.document.layers.back().parent = positions[*layer.parent];
    oci::Descriptor blob = layer.layer.blob;
    blob.data.reset();
    if (!blob.annotations) blob.annotations.emplace();
    blob.annotations->insert_or_assign(std::string(oci::kDiffIdAnnotation),
                                       layer.layer.diff_id.value.str());
    if (!options_.created_at.empty())
      blob.annotations->emplace(std::string(oci::kCreatedAtAnnotation), options_.created_at);
    set.blobs.emplace(blob.digest, std::move(blob));
  }
  set.document.records = records_of(positions);
  return merged(set, {});
}

std::string CacheExchange::inline_cache(const RootFs& root) {
  if (!options_.writes_inline) return {};
  const std::scoped_lock lock(mutex_);
  const auto top = add_layers(root);
  if (!top) return {};
  const std::vector<RootFsLayer> layers = root.layers();
  std::map<std::size_t, std::size_t> positions;
  for (const std::size_t i : layers_below({*top})) positions[i] = layers_[i].depth - 1;
  CacheSet set;  // in the order of the content, whatever the order of the threads
  for (std::size_t i = 0; i < layers.size(); ++i) {
    set.document.layers.push_back({.blob = layers[i].blob.digest});
    if (i > 0) set.document.layers.back().parent = i - 1;
    set.blobs.emplace(layers[i].blob.digest, layers[i].blob);
  }
  set.document.records = records_of(positions);
  set = merged(set, {});
  const std::vector<std::size_t> depths = depths_of(set.document.layers);
  for (oci::CacheRecord& record : set.document.records) {
    for (oci::CacheResult& result : record.results) result.layer = depths[result.layer] - 1;
  }
  return cat("\"", to_base64(oci::serialise(set.document.records)), "\"");
}

}  // namespace lade::buildcache
