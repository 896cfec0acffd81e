"""Who is who: which customer stands behind the identifiers that touchpoints carry."""
