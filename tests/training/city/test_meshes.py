"""Meshes: welding, edges, orientation."""

from __future__ import annotations

import numpy as np

from nlvr.training.city.meshes import Builder, disc, sheet


def volume(mesh):
    """Six times the signed volume: positive if every triangle runs anticlockwise seen from outside."""
    a, b, c = (mesh.vertices[mesh.triangles[:, k]].astype(float) for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum())


def test_a_box_keeps_its_edges_and_faces_outward():
    builder = Builder()
    builder.box((-1, -2, -3), (1, 2, 3), (0.5, 0.5, 0.5))
    mesh = builder.build()
    assert len(mesh.vertices) == 24  # eight corners, a normal for each of three faces
    assert np.allclose(np.abs(mesh.normals).max(axis=1), 1.0, atol=1e-5)
    assert volume(mesh) == 6 * 48


def test_a_round_bar_is_smooth():
    angles = np.linspace(0, 2 * np.pi, 25)
    ring = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(25)])
    builder = Builder()
    builder.grid(np.array([ring, ring + np.array([0, 0, 1])]), (1, 0, 0))
    mesh = builder.build()
    assert len(mesh.vertices) == 48
    assert (np.einsum("ij,ij->i", mesh.normals[:, :2], mesh.vertices[:, :2]) > 0.999).all()


def test_a_disc_faces_where_it_is_told():
    for facing in (-1, 1):
        corners = disc((0, 0, 0), 1.0, 8, facing=facing)
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert (normals[:, 1] * facing >= 0).all()
        assert np.isclose(np.abs(normals).sum() / 2, 8 / 2 * np.sin(np.pi / 4))


def test_a_sheet_has_two_triangles_a_cell():
    points = np.zeros((4, 6, 3))
    assert sheet(points).shape == (2 * 3 * 5, 3, 3)


def test_flat_meshes_hold_the_same_triangles():
    builder = Builder()
    builder.box((0, 0, 0), (1, 1, 1), (0.2, 0.4, 0.6), "glass")
    welded, flat = builder.build(), builder.build_flat()
    assert len(flat.vertices) == 3 * len(welded.triangles)
    assert np.isclose(volume(flat), volume(welded))
