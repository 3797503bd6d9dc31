"""Drawing coloured triangles off screen with Panda3D's software renderer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .world import Camera

_SETTINGS = "load-display p3tinydisplay\naudio-library-name null\nnotify-level-display error\nnotify-level error\n"
_NEAR, _FAR = 0.4, 900.0  # metres
_ONE = np.zeros(1, np.intp)
_engine: dict[str, Any] = {}  # Panda3D has one engine a process; it is made once and kept
_idle: dict[tuple[int, int], list[Any]] = {}  # buffers not in use, by their rows and columns


def _start() -> None:
    if not _engine:
        from panda3d.core import GraphicsEngine, GraphicsPipeSelection, load_prc_file_data

        load_prc_file_data("", _SETTINGS)
        _engine["pipe"] = GraphicsPipeSelection.get_global_ptr().make_pipe("TinyOffscreenGraphicsPipe")
        _engine["engine"] = GraphicsEngine.get_global_ptr()


def _take_buffer(shape: tuple[int, int]) -> Any:  # noqa: ANN401
    """Return an idle buffer of so many rows and columns."""
    from panda3d import core

    _start()
    # Panda3D never frees the pixels of such a buffer, so buffers are used again rather than thrown away.
    if _idle.get(shape):
        return _idle[shape].pop()
    properties = core.FrameBufferProperties()
    properties.set_rgba_bits(8, 8, 8, 8)
    properties.set_depth_bits(24)
    size = core.WindowProperties.size(shape[1], shape[0])
    flags = core.GraphicsPipe.BF_refuse_window | core.GraphicsPipe.BF_fb_props_optional
    buffer = _engine["engine"].make_output(_engine["pipe"], "city", 0, properties, size, flags)
    buffer.set_active(False)
    buffer.set_clear_color((0, 0, 0, 0))
    buffer.set_clear_color_active(True)
    return buffer


class Raster:
    """A buffer that sees what a camera sees, `scale` times as finely. Close it when done."""

    def __init__(self, camera: Camera, scale: int = 1) -> None:
        """Set up the buffer, the lens and two things to draw: what hides (never seen itself) and what is seen."""
        from panda3d import core

        self.shape = (camera.height * scale, camera.width * scale)
        self._camera = camera
        self._hiders = _Hiders(camera, np.zeros((0, 3, 3), np.float32))
        self._buffer = _take_buffer(self.shape)
        self._image = core.Texture()
        self._buffer.add_render_texture(self._image, core.GraphicsOutput.RTM_copy_ram)
        self._root = core.NodePath("root")
        self._root.set_attrib(core.ColorAttrib.make_vertex())
        self._lens = core.PerspectiveLens()
        self._lens.set_film_size(camera.width, camera.height)
        self._lens.set_focal_length(camera.focal)
        self._lens.set_near_far(_NEAR, _FAR)
        eye = self._root.attach_new_node(core.Camera("eye", self._lens))
        right, down, forward = camera.axes
        eye.set_mat(core.LMatrix4f(*right, 0, *forward, 0, *-down, 0, camera.x, camera.y, camera.z, 1))
        self._buffer.make_display_region().set_camera(eye)
        self._hiding, self._seen = _Triangles(self._root), _Triangles(self._root)

    def hide_behind(self, vertices: np.ndarray, triangles: np.ndarray) -> None:
        """From now on, things behind these triangles, float [V, 3] and int [F, 3], are hidden; both sides hide."""
        self._hiders = _Hiders(self._camera, np.asarray(vertices, np.float32)[np.asarray(triangles)])

    def draw(
        self,
        vertices: np.ndarray,
        colours: np.ndarray,
        triangles: np.ndarray,
        *,
        starts: np.ndarray = _ONE,
        two_sided: bool = False,
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> np.ndarray:
        """Return how triangles look: uint8 [H, W, 4], RGB with premultiplied alpha in reversed order, so B, G, R, A.

        vertices: float [V, 3].  colours: uint8 [V, 4], sRGB with an alpha of 255.  triangles: int [F, 3].
        starts: int [P], rising from 0, where in the vertices those of each separate thing begin.
        shift: by which the picture moves to the right and down, pixels of the camera.
        The result is a view that the next call overwrites.
        """
        self._seen.set(vertices, colours, triangles, two_sided=two_sided)
        corners = self._hiders.before(vertices, starts).reshape(-1, 3)
        places = np.arange(len(corners)).reshape(-1, 3)
        self._hiding.set(corners, np.zeros((len(corners), 4), np.uint8), places, two_sided=True)
        self._lens.set_film_offset(-shift[0], shift[1])
        self._buffer.set_active(True)  # the engine draws every buffer that is
        _engine["engine"].render_frame()
        self._buffer.set_active(False)
        data = np.frombuffer(memoryview(self._image.get_ram_image()), np.uint8)
        return data.reshape(*self.shape, 4)[::-1]

    def close(self) -> None:
        """Give the buffer back."""
        if self._buffer is not None:
            self._buffer.clear_render_textures()
            self._buffer.remove_all_display_regions()
            self._root.remove_node()
            _idle.setdefault(self.shape, []).append(self._buffer)
            self._buffer = None


class _Hiders:
    """Triangles that things may be behind of, and where each is seen."""

    def __init__(self, camera: Camera, corners: np.ndarray) -> None:
        """Find the rectangle of pixels that each of the triangles, [F, 3, 3], may touch, and how near it comes."""
        self._camera, self._corners = camera, corners
        edges = np.arange(0, 3 * len(corners), 3)
        low, high, self._near, _ = self._reach(corners.reshape(-1, 3), edges)
        (self._left, self._top), (self._right, self._bottom) = low.T.copy(), high.T.copy()

    def before(self, vertices: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Return the triangles, float32 [N, 3, 3], that may hide some of the things that begin at those vertices."""
        low, high, _, far = self._reach(vertices, starts)
        hides = np.zeros(len(self._corners), bool)
        for (x0, y0), (x1, y1), depth in zip(low, high, far, strict=True):
            here = (self._left < x1) & (self._right > x0)
            here &= (self._top < y1) & (self._bottom > y0)
            hides |= here & (self._near < depth)
        return self._corners[hides]

    def _reach(self, vertices: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return least and most column and row, [P, 2], and least and most depth, [P], of parts of vertices [V, 3]."""
        if not len(vertices):
            return np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0), np.zeros(0)
        seen = self._camera.project(vertices)
        low, high = np.minimum.reduceat(seen, starts), np.maximum.reduceat(seen, starts)
        cut = low[:, 2] < _NEAR  # what reaches behind the camera may be seen anywhere
        low[cut, :2], high[cut, :2] = -np.inf, np.inf
        return low[:, :2] - 1, high[:, :2] + 1, low[:, 2], high[:, 2]


class _Triangles:
    """Triangles that can be replaced as a whole."""

    def __init__(self, root: Any) -> None:  # noqa: ANN401
        from panda3d import core

        layout = core.GeomVertexArrayFormat(
            core.InternalName.get_vertex(),
            3,
            core.Geom.NT_float32,
            core.Geom.C_point,
            core.InternalName.get_color(),
            4,
            core.Geom.NT_uint8,
            core.Geom.C_color,
        )
        form = core.GeomVertexFormat()
        form.add_array(layout)
        self._data = core.GeomVertexData("city", core.GeomVertexFormat.register_format(form), core.Geom.UH_dynamic)
        self._node = core.GeomNode("city")
        self._path = root.attach_new_node(self._node)

    def set(self, vertices: np.ndarray, colours: np.ndarray, triangles: np.ndarray, *, two_sided: bool) -> None:
        from panda3d import core

        self._node.remove_all_geoms()
        if not len(triangles):
            return
        rows = np.empty(len(vertices), [("place", "<f4", 3), ("colour", "u1", 4)])
        rows["place"], rows["colour"] = vertices, colours
        self._data.unclean_set_num_rows(len(rows))
        self._data.modify_array_handle(0).copy_data_from(rows)
        indices = np.ascontiguousarray(triangles, np.uint32)
        primitive = core.GeomTriangles(core.Geom.UH_dynamic)
        primitive.set_index_type(core.Geom.NT_uint32)
        primitive.modify_vertices(indices.size).modify_handle().copy_data_from(indices)
        geometry = core.Geom(self._data)
        geometry.add_primitive(primitive)
        self._node.add_geom(geometry)
        self._node.set_bounds(core.OmniBoundingVolume())
        self._node.set_final(True)
        self._path.set_two_sided(two_sided)
