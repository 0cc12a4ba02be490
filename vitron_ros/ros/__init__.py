"""The only package that imports rclpy and messages."""
