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

std::vector<std::unique_ptr<Part>> parts_of(LocalStore& store, Stack layers, bool copies,
                                            std::size_t merged) {
  std::vector<std::unique_ptr<Part>> parts;
  const auto stack = std::make_shared<const Stack>(std::move(layers));  // shared by the parts
  for (std::size_t depth = stack->size(); depth > merged; --depth) {
    if (auto list = (*stack)[depth - 1]->in_memory()) {
      parts.push_back(std::make_unique<MemoryPart>(std::move(list)));
    } else if (copies) {
      merged = depth;
      break;
    } else {
      parts.push_back(std::make_unique<DiskPart>([&store, stack, depth, merged] {
        return layer_tree(store, StackView(*stack).first(depth), merged).dir;
      }));
    }
  }
  if (merged > 0) {
    parts.push_back(std::make_unique<DiskPart>([&store, stack, merged] {
      return whole_tree(store, StackView(*stack).first(merged)).dir;
    }));
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
  StackedLayer* on_disk = top.get();
  while (on_disk != nullptr && on_disk->in_memory()) on_disk = on_disk->below().get();
  return on_disk != nullptr && !store->unpacked(on_disk->chain()) && copies();
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
        parts_of(*state_->store, state_->stack(), copies, copies ? 0 : state_->merged()));
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
      const Stack stack = state_->stack();
      stack.at(stack.size() - 1 - part.position)->distrust_list();
      tree_ = nullptr;
    }
  }
}

bool RootFs::runs_on_overlay() const { return !state_->copies(); }

std::vector<std::string> RootFs::trees() const {
  std::vector<std::string> paths;
  const Stack stack = state_->stack();
  if (stack.empty()) return paths;
  if (state_->copies()) return {whole_tree(*state_->store, stack).path};
  for (const StackedLayer::Tree& tree : overlay_trees(*state_->store, stack, state_->merged()))
    paths.push_back(tree.path);
  return paths;
}

std::string RootFs::whole() const {
  return state_->top ? whole_tree(*state_->store, state_->stack()).path : "";
}

void RootFs::push(const RootFsLayer& layer,
                  std::shared_ptr<const std::vector<LayerEntry>> entries) {
  auto next = std::make_shared<State>(*state_);
  next->top = std::make_shared<StackedLayer>(layer, state_->top, std::move(entries));
  forget_tree(std::move(next));
}

std::vector<RootFsLayer> RootFs::layers() const {
  std::vector<RootFsLayer> layers;
  layers.reserve(depth());
  for (const auto& layer : state_->stack()) layers.push_back(layer->layer());
  return layers;
}

std::size_t RootFs::depth() const noexcept { return state_->depth(); }

const RootFsLayer& RootFs::top() const noexcept { return state_->top->layer(); }

std::optional<ChainId> RootFs::chain() const {
  if (!state_->top) return std::nullopt;
  return state_->top->chain();
}

std::optional<ChainId> RootFs::chain_below() const {
  if (!state_->top) return std::nullopt;
  return state_->top->parent();
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
