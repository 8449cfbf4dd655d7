#include "libimage/image/sharing.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "libimage/base/text.h"
#include "libimage/image/tree_text.h"
#include "libimage/oci/json_text.h"

namespace lade::image {
namespace {

std::string first_name(const SharedLayers& node) {
  return node.images.empty() ? first_name(node.children.front()) : node.images.front().name;
}

bool holds(const SharedLayers& node, const std::vector<Digest>& manifests) {
  const auto wanted = [&](const ImageStack& image) {
    return std::find(manifests.begin(), manifests.end(), image.manifest) != manifests.end();
  };
  return std::any_of(node.images.begin(), node.images.end(), wanted);
}

/// The node of `images`, which all have the first `depth` layers in common. Sorted by layers, so
/// that a run of equal ones is a child. Recursion ends by `depth`, which manifests bound.
SharedLayers node_of(std::vector<ImageStack> images, std::size_t depth) {
  SharedLayers node;
  const std::size_t from = depth;
  const auto all_have_next = [&] {
    return std::all_of(images.begin(), images.end(), [&](const ImageStack& image) {
      return image.layers.size() > depth &&
             image.layers[depth].diff_id == images.front().layers[depth].diff_id;
    });
  };
  while (from > 0 && all_have_next()) ++depth;
  if (from > 0) {
    const auto& layers = images.front().layers;
    node.layers.assign(layers.begin() + static_cast<std::ptrdiff_t>(from) - 1,
                       layers.begin() + static_cast<std::ptrdiff_t>(depth));
  }
  std::map<Digest, std::vector<ImageStack>> groups;
  for (ImageStack& image : images) {
    if (image.layers.size() == depth) {
      node.images.push_back(std::move(image));
    } else {
      const Digest key = image.layers[depth].diff_id.value;
      groups[key].push_back(std::move(image));
    }
  }
  std::sort(node.images.begin(), node.images.end(),
            [](const ImageStack& a, const ImageStack& b) { return a.name < b.name; });
  for (auto& [key, group] : groups) node.children.push_back(node_of(std::move(group), depth + 1));
  std::sort(
      node.children.begin(), node.children.end(),
      [](const SharedLayers& a, const SharedLayers& b) { return first_name(a) < first_name(b); });
  return node;
}

Branch branch_of(const SharedLayers& node, bool each_layer) {
  Branch out;
  out.head.push_back({padded_left(human_size(node.bytes()), 8), Style::strong});
  out.head.push_back({cat(" in ", counted(node.layers.size(), "layer"))});
  if (node.layers.size() == 1) {
    out.head.push_back({cat("  ", node.layers.front().diff_id.value.brief()), Style::faint});
  }
  for (const ImageStack& image : node.images) {
    out.head.push_back(
        {cat(&image == &node.images.front() ? "  " : ", ", shown(image.name)), Style::strong});
  }
  if (node.images.empty()) out.head.push_back({"  shared", Style::faint});
  if (each_layer && node.layers.size() > 1) {
    for (const StackedLayer& layer : node.layers) {
      out.details.push_back({{padded_left(human_size(layer.size), 8)},
                             {cat("  ", layer.diff_id.value.brief()), Style::faint}});
    }
  }
  for (const SharedLayers& child : node.children) {
    out.children.push_back(branch_of(child, each_layer));
  }
  return out;
}

template <typename Items, typename ToText>
std::string list(const Items& items, const ToText& to_text) {
  std::string out = "[";
  for (const auto& item : items) out += cat(out.size() == 1 ? "" : ",", to_text(item));
  return out + "]";
}

}  // namespace

std::uint64_t SharedLayers::bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const StackedLayer& layer : layers) sum += layer.size;
  return sum;
}

SharedLayers shared_layers(std::vector<ImageStack> images) {
  return images.empty() ? SharedLayers() : node_of(std::move(images), 0);
}

SharedLayers branch_to(const SharedLayers& root, const std::vector<Digest>& manifests) {
  if (holds(root, manifests)) return root;
  SharedLayers out{.layers = root.layers};
  for (const SharedLayers& child : root.children) {
    SharedLayers below = branch_to(child, manifests);
    if (!below.images.empty() || !below.children.empty()) out.children.push_back(std::move(below));
  }
  return out;
}

std::string to_text(const SharedLayers& root, const SharingText& options) {
  const TreeStyle style{.width = options.width, .colour = options.colour, .ascii = options.ascii};
  std::string out;
  for (const ImageStack& image : root.images) {
    append_line(out, {{"     0 B in 0 layers  "}, {shown(image.name), Style::strong}}, style);
  }
  for (const SharedLayers& child : root.children) {
    append_tree(out, branch_of(child, options.each_layer), style);
  }
  return out;
}

std::string to_json(const SharedLayers& node) {
  return cat("{\"layers\":",
             list(node.layers,
                  [](const StackedLayer& layer) {
                    return cat("{\"diffId\":", oci::json_string(layer.diff_id.value.str()),
                               ",\"size\":", layer.size, "}");
                  }),
             ",\"bytes\":", node.bytes(), ",\"images\":",
             list(node.images,
                  [](const ImageStack& image) {
                    return cat("{\"name\":", oci::json_string(image.name),
                               ",\"digest\":", oci::json_string(image.manifest.str()), "}");
                  }),
             ",\"children\":",
             list(node.children, [](const SharedLayers& child) { return to_json(child); }), "}");
}

}  // namespace lade::image
