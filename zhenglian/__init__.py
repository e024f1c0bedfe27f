"""zhenglian"""
