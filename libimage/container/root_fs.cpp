#include "libimage/container/root_fs.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include <fcntl.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/container/merged_tree.h"
#include "libimage/container/root_fs_state.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

std::vector<std::unique_ptr<Part>> parts_of(LocalStore& store, const Stack& stack, bool copies,
                                            std::size_t merged) {
  std::vector<std::unique_ptr<Part>> parts;
  const StackView view(stack);
  for (std::size_t depth = stack.size(); depth > merged; --depth) {
    if (auto list = stack[depth - 1]->in_memory()) {
      parts.push_back(std::make_unique<MemoryPart>(std::move(list)));
    } else if (copies) {
      merged = depth;
      break;
    } else {
      parts.push_back(std::make_unique<DiskPart>([&store, layers = view.first(depth), merged] {
        return layer_tree(store, layers, merged).dir;
      }));
    }
  }
  if (merged > 0) {
    parts.push_back(std::make_unique<DiskPart>(
        [&store, layers = view.first(merged)] { return whole_tree(store, layers).dir; }));
  }
  return parts;
}

}  // namespace

bool overlay_works(const LocalStore& store) {
  static std::mutex mutex;
  static std::map<std::string, bool> known;  // guarded by mutex
  const std::lock_guard lock(mutex);
  const auto found = known.find(store.path());
  if (found != known.end()) return found->second;
  return known[store.path()] = sandbox::probe(store.temp_path()).overlay;
}

bool RootFs::State::copies() const { return options.force_copies || !overlay_works(*store); }

bool RootFs::State::looks_into_whole_trees() const {
  if (options.force_copies) return true;
  const auto on_disk = std::find_if(stack.rbegin(), stack.rend(),
                                    [](const auto& layer) { return !layer->in_memory(); });
  return on_disk != stack.rend() && !store->unpacked((*on_disk)->chain()) && copies();
}

RootFs::RootFs(LocalStore& store, RootFsOptions options)
    : state_(std::make_shared<const State>(State{.store = &store, .options = options})) {}
RootFs::~RootFs() = default;
RootFs::RootFs(const RootFs& other) : state_(other.state_) {}
RootFs& RootFs::operator=(const RootFs& other) {
  if (this != &other) forget_tree(other.state_);
  return *this;
}
RootFs::RootFs(RootFs&&) noexcept = default;
RootFs& RootFs::operator=(RootFs&&) noexcept = default;

void RootFs::forget_tree(std::shared_ptr<const State> state) {
  tree_ = nullptr;  // its parts refer to the old state
  state_ = std::move(state);
}

MergedTree& RootFs::tree() {
  if (!tree_) {
    const bool copies = state_->looks_into_whole_trees();
    tree_ = std::make_unique<MergedTree>(
        parts_of(*state_->store, state_->stack, copies, copies ? 0 : state_->merged()));
  }
  return *tree_;
}

template <typename Body>
auto RootFs::with_tree(const Body& body) {
  for (;;) {
    try {
      return body(tree());
    } catch (const PartNeedsUnpacking& part) {
      // Each time one list less is trusted, so this ends.
      state_->stack.at(state_->stack.size() - 1 - part.position)->distrust_list();
      tree_ = nullptr;
    }
  }
}

bool RootFs::runs_on_overlay() const { return !state_->copies(); }

std::vector<std::string> RootFs::trees() const {
  std::vector<std::string> paths;
  if (state_->stack.empty()) return paths;
  if (state_->copies()) return {whole_tree(*state_->store, state_->stack).path};
  for (const StackedLayer::Tree& tree :
       overlay_trees(*state_->store, state_->stack, state_->merged()))
    paths.push_back(tree.path);
  return paths;
}

std::string RootFs::whole() const {
  return state_->stack.empty() ? "" : whole_tree(*state_->store, state_->stack).path;
}

void RootFs::push(const RootFsLayer& layer,
                  std::shared_ptr<const std::vector<LayerEntry>> entries) {
  auto next = std::make_shared<State>(*state_);
  next->layers.push_back(layer);
  next->stack.push_back(std::make_shared<StackedLayer>(layer, chain(), std::move(entries)));
  forget_tree(std::move(next));
}

const std::vector<RootFsLayer>& RootFs::layers() const noexcept { return state_->layers; }

std::optional<ChainId> RootFs::chain() const {
  if (state_->stack.empty()) return std::nullopt;
  return state_->stack.back()->chain();
}

std::optional<ChainId> RootFs::chain_below() const {
  if (state_->stack.empty()) return std::nullopt;
  return state_->stack.back()->parent();
}

std::optional<Attributes> RootFs::lookup(const std::string& path) {
  return with_tree([&](MergedTree& tree) -> std::optional<Attributes> {
    auto hit = tree.find(tree.resolve(path, false));
    if (!hit) return std::nullopt;
    return std::move(hit->entry.attributes);
  });
}

std::string RootFs::resolve(const std::string& path, bool follow_last) {
  return with_tree([&](MergedTree& tree) { return tree.resolve(path, follow_last); });
}

std::vector<std::string> RootFs::list(const std::string& path) {
  auto names = with_tree([&](MergedTree& tree) { return tree.list(tree.resolve(path, true)); });
  if (!names) throw Error(Errc::not_found, cat("list ", quoted(path), ": no such directory"));
  return std::move(*names);
}

ContentRef RootFs::content(const std::string& path) {
  return with_tree([&](MergedTree& tree) {
    const std::string resolved = tree.resolve(path, true);
    const auto hit = tree.find(resolved);
    if (!hit || hit->entry.attributes.type != FileType::regular) {
      throw Error(Errc::not_found, cat("open ", quoted(path), ": no such regular file"));
    }
    return tree.content(resolved, *hit);
  });
}

std::optional<std::string> RootFs::read_small(const std::string& path, std::uint64_t limit) {
  const auto attributes = lookup(resolve(path));
  if (!attributes || attributes->type != FileType::regular) return std::nullopt;
  if (attributes->size > limit) {
    throw Error(Errc::limit_exceeded,
                cat("read ", quoted(path), ": ", attributes->size, " bytes are more than ", limit));
  }
  const ContentRef ref = content(path);
  if (ref.text) return *ref.text;
  FdSource source(open_in_root(*ref.root, ref.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK),
                  quoted(path));
  return read_all(source, limit, quoted(path));
}

LayerResult RootFs::add(std::vector<LayerEntry> entries, const LayerOptions& options) {
  for (LayerEntry& entry : entries)  // lookups then see what the layer holds
    entry.attributes.mtime = recorded_mtime(entry.attributes.mtime, options);
  auto list = std::make_shared<const std::vector<LayerEntry>>(std::move(entries));
  LayerResult result = write_layer(*list, state_->store->images(), options);
  push({result.blob, result.diff_id}, std::move(list));
  return result;
}

}  // namespace lade
